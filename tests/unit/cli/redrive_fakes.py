"""Kafka in memory as a redrive sees it, with a hook before and after each step."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from meltwatch_cli.pipeline.redrive import Redrive
from meltwatch_cli.pipeline.verdicts import LetterVerdict, RedriveOptions
from meltwatch_cli.ports import Sending
from meltwatch_schemas.dead_letter import dead_letter_headers
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.record import RawRecord, header
from meltwatch_schemas.redrive import REDRIVE_OF, RedriveNote
from meltwatch_schemas.topics import Topic

from tests.support.input_records import ORIGIN_NS, sample_record

PREFIX = "plant"
LETTERS = Topic.DEAD_LETTERS.under(PREFIX)
Hook = Callable[[str], None]


class Killed(BaseException):
    """The process is gone: nothing after this happens."""


class TestClock:
    """Time that a test moves; both clocks alike."""

    __test__ = False

    def __init__(self) -> None:
        self.ns = ORIGIN_NS

    def now_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        return self.ns

    def pass_s(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


class MemoryKafka:
    """The dead letters, the journal, and the topics to send to."""

    def __init__(self) -> None:
        self.clock = TestClock()
        self.letters: list[RawRecord] = []
        self.journal: list[RedriveNote] = []
        self.sent: dict[tuple[str, int], list[RawRecord]] = {}
        self.gone: set[str] = set()
        self.forgotten = 0
        self.refuse: Callable[[RawRecord], Sending | None] = lambda _: None

    def set_aside(self, record: RawRecord, reason: Refusal = Refusal.UNEXPECTED_SOURCE) -> int:
        """Make a record a dead letter; return its id."""
        refusal = ContractViolation(reason, "expected the first source, got another")
        letter = RawRecord(
            LETTERS,
            0,
            len(self.letters),
            self.clock.ns // 10**6,
            record.key,
            record.value,
            tuple(dead_letter_headers(record, "stream_processor", refusal)),
        )
        self.letters.append(letter)
        return letter.offset

    def sample(self, number: int = 0, furnace: str = "f") -> RawRecord:
        """A record that any reader takes."""
        record = sample_record(furnace, ORIGIN_NS + number * 10**9)
        return record.at(number, prefix=PREFIX, partition=1)

    def arrived(self) -> list[str | None]:
        """The letters that stand in the topics as records sent again."""
        return [header(record.headers, REDRIVE_OF) for log in self.sent.values() for record in log]

    def operator(self, name: str, hook: Hook = lambda _: None, *, force: bool = False) -> Redrive:
        """A redrive of somebody's own."""
        options = RedriveOptions(prefix=PREFIX, run=f"run of {name}", by=name, force=force)
        view = View(self, hook)
        return Redrive(view, view, view, self.clock, options)

    def redrive(self, *ids: int, name: str = "li", force: bool = False) -> list[LetterVerdict]:
        """Carry a redrive out."""
        wanted = ids or range(len(self.letters))
        return list(self.operator(name, force=force).carry_out(list(wanted)))


class View:
    """What one process sees of it."""

    def __init__(self, kafka: MemoryKafka, hook: Hook) -> None:
        self._kafka = kafka
        self._hook = hook
        self._position = 0

    def take(self, ids: Sequence[int]) -> Iterator[RawRecord]:
        return (letter for letter in self._kafka.letters if letter.offset in set(ids))

    def append(self, notes: Iterable[RedriveNote]) -> None:
        notes = list(notes)
        if notes:
            self._hook(f"before {notes[0].step}")
            self._kafka.journal.extend(notes)
            self._hook(f"after {notes[0].step}")

    def news(self) -> Iterator[RedriveNote]:
        news = self._kafka.journal[self._position :]
        self._position = len(self._kafka.journal)
        return iter(news)

    def partition_of(self, record: RawRecord) -> int | None:
        return None if record.topic in self._kafka.gone else 2

    def end_offset(self, topic: str, partition: int) -> int:
        return len(self._kafka.sent.get((topic, partition), ()))

    def send(self, records: Sequence[RawRecord]) -> list[Sending]:
        results = []
        for record in records:
            self._hook("before sending")
            refused = self._kafka.refuse(record)
            if refused is None:
                log = self._kafka.sent.setdefault((record.topic, record.partition), [])
                log.append(replace(record, offset=len(log)))
                results.append(Sending(len(log) - 1))
            else:
                results.append(refused)
            self._hook("after sending")
        return results

    def sent_since(
        self, topic: str, partition: int, offset: int, until_ms: int | None
    ) -> Mapping[str, int] | None:
        if self._kafka.forgotten > offset:
            return None
        log = self._kafka.sent.get((topic, partition), [])[offset:]
        named = {header(record.headers, REDRIVE_OF): record.offset for record in log}
        return {letter: place for letter, place in named.items() if letter is not None}


class Operator:
    """A redrive in a thread of its own that takes a step when it is told to."""

    def __init__(self, kafka: MemoryKafka, name: str, ids: Sequence[int]) -> None:
        self._clock = kafka.clock
        self._claimed_ns: int | None = None
        self._go, self._stands = threading.Event(), threading.Event()
        self._dies = self._ended = False
        work = kafka.operator(name, self._stand_still)
        self._thread = threading.Thread(target=self._run, args=(work, ids), daemon=True)
        self._thread.start()
        self._stands.wait()

    def is_alive(self) -> bool:
        """Whether there are steps to take."""
        return not self._ended

    @property
    def is_past_delivery(self) -> bool:
        """Whether Kafka's client would have given up on what is not delivered yet."""
        return self._claimed_ns is not None and self._clock.ns - self._claimed_ns > 40e9

    def go_on(self, *, dies: bool) -> None:
        """Take the next step, or none ever again."""
        self._dies = dies
        self._stands.clear()
        self._go.set()
        self._stands.wait()
        if self._ended:
            self._thread.join()

    def _run(self, work: Redrive, ids: Sequence[int]) -> None:
        with suppress(Killed):
            self._stand_still("start")
            list(work.carry_out(ids))
        self._ended = True
        self._stands.set()

    def _stand_still(self, step: str) -> None:
        if step == "before claimed":
            self._claimed_ns = self._clock.ns
        self._stands.set()
        self._go.wait()
        self._go.clear()
        if self._dies:
            raise Killed
