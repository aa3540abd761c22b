"""The file in which what key figures and Review are made of is kept over a restart.

Kafka has every change of an alarm for 7 days, and the figures look back for 30.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.whole_file import write_whole
from meltwatch_core.alarms.kpi.lines import JournalLine
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_S
from pydantic import TypeAdapter, ValidationError

from meltwatch_console.adapters.ring_file import SAVED_EVERY_S
from meltwatch_console.domain.occurrences import Occurrence, ReviewQuestion, ReviewScope
from meltwatch_console.errors import AlarmFileRefused
from meltwatch_console.pipeline.live_picture import LinkState, LivePicture

NAME: Final = "alarms.json"
FORM: Final = "meltwatch-console-alarms/1"
MAX_BYTES: Final = 128 * 1024 * 1024
_AHEAD_NS: Final = 60 * NS_PER_S
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeptAlarms:
    """What a console knew of alarms when it was saved.

    Attributes
    ----------
    form
        Of the file.
    prefix
        Of the topics.
    saved_ns, whole_from_ns
        When, and from when on every change was known.
    lines
        Oldest first.
    occurrences
        What there is to review.
    """

    form: str
    prefix: str
    saved_ns: int
    whole_from_ns: int
    lines: list[JournalLine]
    occurrences: list[Occurrence]


_KEPT: Final = TypeAdapter(KeptAlarms)


class AlarmFile:
    """One file, written as a whole or not at all.

    Parameters
    ----------
    folder
        Made if it is not there.
    prefix
        Of the topics: what was kept of others is refused.

    Attributes
    ----------
    prefix
        The same.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / NAME
        self.prefix = prefix

    def read(self, now_ns: int) -> KeptAlarms | None:
        """Return what was kept, None where there is no file.

        Raises
        ------
        AlarmFileRefused
            If it is torn, too large, of the future, or of something else.
        OSError
            If it cannot be read.
        """
        if not self._file.exists():
            return None
        if not self._file.is_file() or self._file.stat().st_size > MAX_BYTES:
            raise AlarmFileRefused(f"expected a file of at most {MAX_BYTES} bytes")
        try:
            kept = _KEPT.validate_json(self._file.read_bytes())
        except ValidationError as error:
            raise AlarmFileRefused(f"expected {FORM}: {error.errors()[0]['msg']}") from None
        if (kept.form, kept.prefix) != (FORM, self.prefix):
            raise AlarmFileRefused(
                f"expected {FORM} of {self.prefix}, got {kept.form[:60]} of {kept.prefix[:60]}"
            )
        times = [kept.whole_from_ns, kept.saved_ns, *(line.at_ns for line in kept.lines)]
        if min(times) < 0 or max(times) > now_ns + _AHEAD_NS:
            raise AlarmFileRefused("expected instants of the past")
        return kept

    def write(self, kept: KeptAlarms) -> None:
        """Write what is known.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        write_whole(self._file, _KEPT.dump_json(kept).decode())


class AlarmKeeper:
    """Reads the file at the start, and writes it every ten minutes and at the end.

    Parameters
    ----------
    picture
        Knows what is kept.
    file
        Where it is kept.
    clock
        Wall clock.
    """

    def __init__(self, picture: LivePicture, file: AlarmFile, clock: Clock) -> None:
        self._picture = picture
        self._file = file
        self._clock = clock

    def restore(self) -> None:
        """Take over what was kept, before any record is read; what cannot be read is told."""
        try:
            kept = self._file.read(self._clock.now_ns())
        except (AlarmFileRefused, OSError) as error:
            _log.warning("alarm_file_refused", error=escaped(str(error)))
            return
        if kept is None:
            return
        self._picture.lines.recall(kept.lines, kept.whole_from_ns, kept.saved_ns)
        for each in kept.occurrences:
            self._picture.occurrences.recall(each)
        _log.info("alarm_file_read", lines=len(kept.lines), occurrences=len(kept.occurrences))

    async def keep_on(self) -> None:
        """Save again and again; never ends by itself, and no failure ends it."""
        try:
            while True:
                await asyncio.sleep(SAVED_EVERY_S)
                if (known := self._known()) is not None:
                    await asyncio.to_thread(self._save, known)
        finally:
            if (known := self._known()) is not None:
                self._save(known)

    def _known(self) -> KeptAlarms | None:
        """Return what is known; None unless it is all, or the next start would miss some."""
        if self._picture.link.state is not LinkState.LIVE:
            return None
        now_ns, lines = self._clock.now_ns(), self._picture.lines
        occurrences = self._picture.occurrences.answer(ReviewQuestion(ReviewScope.ALL))
        held = lines.held(now_ns)
        return KeptAlarms(FORM, self._file.prefix, now_ns, lines.whole_from_ns, held, occurrences)

    def _save(self, known: KeptAlarms) -> None:
        try:
            self._file.write(known)
        except OSError as error:
            _log.warning("alarm_file_not_saved", error=escaped(str(error)))
