"""``meltwatch portrait``: what a portrait is made of, what is shown of it, what is refused."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands import portrait_fit
from meltwatch_backtester.domain import portraying
from meltwatch_backtester.domain.portrait_text import mode_pictures, standing
from meltwatch_backtester.domain.portraying import PortraitFit, PortraitWindows, make_portrait
from meltwatch_backtester.ports import TopicPart
from meltwatch_chassis.errors import FatalError
from meltwatch_cli.command_tree import root
from meltwatch_core.join.event_time import EventTimeJoiner
from meltwatch_core.join.window import AlignedWindow
from meltwatch_core.portraits.novelty import KnownPortrait, is_judged, is_stale, novelty_of
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.novelty import Novelty
from meltwatch_schemas.point_rules import who_and_why_headers
from meltwatch_schemas.portrait import (
    SCHEMA,
    Portrait,
    decode_portrait,
    encode_portrait,
    portrait_id,
)
from meltwatch_schemas.record import (
    RawRecord,
    headers_for,
    read_current,
    read_embedding,
    read_score,
)
from meltwatch_schemas.score import Cut, Modality, encode_score
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import alarm_record, packed_side, portrait
from tests.support.history import HistoryInMemory
from tests.support.input_records import ORIGIN_NS
from tests.support.portrait_history import ENCODER, FURNACE, HOUR_NS, Lived, lived
from tests.unit.core.alarms.samples import json_record

HOURS = 1.05
FEWEST = 300
"""Windows, in place of four hours: enough for a tail, and drawn in seconds."""
END_NS = ORIGIN_NS + round(HOURS * HOUR_NS)
SPAN = ("--from", rfc3339(utc_from_ns(ORIGIN_NS)), "--to", rfc3339(utc_from_ns(END_NS)))
FIT = ("fit", "--furnace", FURNACE, *SPAN)
Meltwatch = Callable[..., int]


@pytest.fixture(scope="module")
def hour() -> Lived:
    """The ensemble takes two minutes of it for a fault."""
    hot = range(ORIGIN_NS + 900 * NS_PER_S, ORIGIN_NS + 1020 * NS_PER_S)
    return lived(HOURS, lambda end_ns: 2.0 if end_ns in hot else -5.0)


def portrait_record(
    furnace_id: str, value: bytes | None, offset: int, who: str = "li", why: str = "so"
) -> RawRecord:
    """A portrait, or a tombstone, as it stands on the topic."""
    said = tuple(who_and_why_headers(who, why))
    headers = said if value is None else (*headers_for(SCHEMA), *said)
    name = Topic.PORTRAITS.under("meltwatch")
    return RawRecord(name, 0, offset, 0, furnace_id.encode(), value, headers)


class FakeTopic:
    """A topic of portraits in memory."""

    def __init__(self) -> None:
        self.log: list[RawRecord] = []

    def records(self) -> Iterator[RawRecord]:
        return iter(self.log)

    def publish(self, furnace_id: str, value: bytes, who: str, why: str) -> None:
        self.log.append(portrait_record(furnace_id, value, len(self.log), who, why))

    def retire(self, furnace_id: str, who: str, why: str) -> None:
        self.log.append(portrait_record(furnace_id, None, len(self.log), who, why))


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> FakeTopic:
    made = FakeTopic()

    @contextmanager
    def opened(*_: object) -> Iterator[FakeTopic]:
        yield made

    monkeypatch.setattr(bootstrap, "portrait_topic", opened)
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")
    return made


def parts_of(hour: Lived) -> dict[TopicPart, list[RawRecord]]:
    parts = {
        TopicPart(name, 0): [record.at(offset) for offset, record in enumerate(log)]
        for name, log in hour.inputs.items()
    }
    scores = [record.at(offset) for offset, record in enumerate(hour.score_records())]
    return parts | {TopicPart(Topic.SCORES, 0): scores}


@pytest.fixture
def past(hour: Lived, monkeypatch: pytest.MonkeyPatch) -> dict[TopicPart, list[RawRecord]]:
    """What the commands read; tests change it."""
    parts = parts_of(hour)

    @contextmanager
    def opened(*_: object) -> Iterator[HistoryInMemory]:
        yield HistoryInMemory(parts, partitions=1)

    monkeypatch.setattr(bootstrap, "history", opened)
    monkeypatch.setattr(portraying, "FEWEST_WINDOWS", FEWEST)
    return parts


@dataclass(frozen=True)
class Plain:
    """What ``portrait fit --publish`` made of the hour as it was.

    Attributes
    ----------
    told, value
        What it printed for programs, and the portrait.
    seen
        What it kept of the windows.
    topic
        What it wrote.
    """

    told: dict
    value: bytes
    seen: PortraitWindows
    topic: FakeTopic


@pytest.fixture(scope="module")
def plain(hour: Lived, tmp_path_factory: pytest.TempPathFactory) -> Plain:
    parts, kept, made = parts_of(hour), [], FakeTopic()

    @contextmanager
    def opened(*_: object) -> Iterator[HistoryInMemory]:
        yield HistoryInMemory(parts, partitions=1)

    @contextmanager
    def topic(*_: object) -> Iterator[FakeTopic]:
        yield made

    def noted(name: str, seen: PortraitWindows, *rest: Any) -> PortraitFit:
        kept.append(seen)
        return make_portrait(name, seen, *rest)

    file = tmp_path_factory.mktemp("plain") / "furnace.portrait"
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        patch.setattr(bootstrap, "history", opened)
        patch.setattr(bootstrap, "portrait_topic", topic)
        patch.setattr(portraying, "FEWEST_WINDOWS", FEWEST)
        patch.setattr(portrait_fit, "make_portrait", noted)
        patch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")
        told = ["portrait", *FIT, "--out", str(file), "--json"]
        told += ["--publish", "--user", "wang", "--why", "camera moved"]
        assert root()(told, result_action="return_value") == 0
    return Plain(json.loads(out.getvalue()), file.read_bytes(), kept[0], made)


@pytest.fixture
def command(past: object, topic: FakeTopic) -> Meltwatch:
    def run(*told: str) -> int:
        return root()(["portrait", *told], result_action="return_value")

    return run


@pytest.fixture(scope="module")
def windows(hour: Lived) -> list[AlignedWindow]:
    """The windows as they were joined, without a look at scores."""
    return list(joined(hour))


def joined(hour: Lived) -> Iterator[AlignedWindow]:
    joiner = EventTimeJoiner(0, ENCODER)
    logs = [
        (record.timestamp_ms, record.topic, reader(record.at(offset)), offset)
        for name, reader in ((Topic.EMBEDDINGS, read_embedding), (Topic.CURRENTS, read_current))
        for offset, record in enumerate(hour.inputs[name])
    ]
    for _, _, chunk, offset in sorted(logs, key=lambda each: each[:2]):
        yield from joiner.admit(chunk, offset).windows


def novelties(
    made: Portrait, windows: list[AlignedWindow], shift: float = 0.0
) -> list[tuple[Novelty, bool]]:
    """What scores would say of windows, their pictures darker by a shift."""
    known, told, said = KnownPortrait.of(made, "a" * 64), None, []
    for window in windows:
        frames = window.embeddings
        if frames is not None:
            frames = [(frame + np.eye(1, frame.shape[1]) * shift).astype("f2") for frame in frames]
        now = replace(window, embeddings=frames)
        told = novelty_of(now, -5.0, known, told)
        if is_judged(window.furnace_id, window.window_end_ns):
            said.append((told, is_stale(now, known, told)))
    return said


def test_a_portrait_of_an_hour_knows_that_hour_and_nothing_else(
    plain: Plain, hour: Lived, windows: list[AlignedWindow]
) -> None:
    told, value = plain.told, plain.value
    made = decode_portrait(value)
    assert told["portrait"] == portrait_id(value)
    assert (made.furnace_id, made.encoder_id) == (FURNACE, ENCODER.encoder_id)
    assert (made.from_ns, made.until_ns) == (ORIGIN_NS, END_NS)
    judged = [s for s in hour.scores if is_judged(FURNACE, s.window_end_ns)]
    hot = sum(s.logit is not None and s.logit >= 0 for s in judged)
    assert made.left_out["logit"] == hot > 5
    assert made.windows == told["windows"]
    assert made.windows + sum(made.left_out.values()) in (len(judged), len(judged) + 1)

    whole = [each for each in windows if len(each.modalities) == 2]
    usual, darker = novelties(made, whole), novelties(made, whole, shift=-120.0)
    assert np.mean([now.surprise > 2 for now, _ in usual]) < 0.05
    assert np.mean([now.video > 3 for now, _ in darker[10:]]) > 0.95
    assert not usual[-1][1]
    assert darker[-1][1], "the portrait is stale"


def test_it_keeps_what_live_would_have_asked_the_portrait_about(
    plain: Plain, windows: list[AlignedWindow]
) -> None:
    seen = plain.seen
    there = {window.window_end_ns: window for window in windows}
    assert len(seen) == len(seen.ends_ns) > FEWEST
    assert (np.diff(seen.ends_ns) > 0).all()
    for number in (0, 1, len(seen) // 2, len(seen) - 1):
        window = there[int(seen.ends_ns[number])]
        video = seen.features(Modality.VIDEO)[number]
        assert (video == portraying.video_features(window)[0]).all()
        current = seen.features(Modality.CURRENT)[number]
        assert (current == portraying.features_of_currents(window)[0]).all()


def test_each_window_that_is_no_normal_operation_is_left_out_for_its_reason(
    command: Meltwatch,
    plain: Plain,
    past: dict[TopicPart, list[RawRecord]],
    topic: FakeTopic,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An alarm stood, somebody named a stretch, a minute of frames has been deleted since.

    And between any two records stands one that another furnace has sent: it is not even decoded.
    """

    def at(after_s: float) -> str:
        return rfc3339(utc_from_ns(ORIGIN_NS + round(after_s * NS_PER_S)))

    frames = past[TopicPart(Topic.EMBEDDINGS, 0)]
    past[TopicPart(Topic.EMBEDDINGS, 0)] = frames[:1000] + frames[1042:]
    for part, log in past.items():
        past[part] = [
            replace(raw, offset=2 * raw.offset + extra, **changes)
            for raw in log
            for extra, changes in enumerate(({}, {"key": b"another/one", "value": b"\xc1"}))
        ]
    past[TopicPart(Topic.SCORES, 0)] = _with_doubled_cuts(past[TopicPart(Topic.SCORES, 0)])
    began = utc_from_ns(ORIGIN_NS + 1800 * NS_PER_S)
    name = f"{FURNACE}/CURRENT_IMBALANCE"
    record = alarm_record(
        name, active=False, condition_time=began, raise_time=began,
        clear_time=began + timedelta(seconds=60),
    )  # fmt: skip
    assert not plain.told["alarms_known"]
    past[TopicPart(Topic.ALARMS, 0)] = [
        json_record(Topic.ALARMS, record, name),
        json_record(Topic.ALARMS, alarm_record("another/one/OVERHEAT"), "another/one/OVERHEAT", 1),
    ]
    stretch = f"{at(2400)}/{at(2430)}"
    others = f"another/one={at(0)}/{at(3600)}"

    assert command(*FIT, "--except", stretch, "--except", others, "--json") == 0

    told = json.loads(capsys.readouterr().out)
    assert told["alarms_known"]
    assert told["left_out"]["not_joined"] in (6, 7, 8)
    assert told["left_out"]["alarm"] in (17, 18, 19), "60 s and a look-back, one each 10.08 s"
    assert told["left_out"]["excepted"] in (14, 15, 16)
    before = plain.told["left_out"]
    newly = sum(told["left_out"].values()) - sum(before.values())
    assert told["left_out"] == before | {
        reason: told["left_out"][reason] for reason in ("not_joined", "alarm", "excepted")
    }
    assert told["windows"] == plain.told["windows"] - newly
    assert not told["published"]
    assert not topic.log


def _with_doubled_cuts(log: list[RawRecord]) -> list[RawRecord]:
    changed = []
    for raw in log:
        if raw.value != b"\xc1":
            score = read_score(raw)
            cuts = {
                name: Cut(
                    cut.partition,
                    None if cut.first_needed is None else 2 * cut.first_needed,
                    None if cut.last_handed_on is None else 2 * cut.last_handed_on,
                )
                for name, cut in score.inputs.items()
            }
            changed.append(replace(raw, value=encode_score(replace(score, inputs=cuts))))
        else:
            changed.append(raw)
    return changed


def test_too_little_is_refused_in_one_line_that_says_what_was_missing(
    command: Meltwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portraying, "FEWEST_WINDOWS", 1428)
    with pytest.raises(FatalError) as caught:
        command(*FIT)
    assert caught.value.exit_code == 2
    said = str(caught.value)
    assert (
        "expected at least 1428 windows of normal operation (4 h, one each 10.08 s), got 35" in said
    )
    assert "12: the ensemble took them for a fault (log-odds 0 or more)" in said
    assert "camera or meter was missing" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("fit", "--furnace", "..", *SPAN), "furnace id: expected levels"),
        (("fit", "--furnace", FURNACE, "--from", "50h"), "expected at most 48 h"),
        (("fit", "--furnace", FURNACE, "--from", "1h", "--to", "2h"), "the later time second"),
        ((*FIT, "--except", "noon"), "--except: expected FROM/TO"),
        ((*FIT, "--why", " ", "--publish"), "--why: expected 1 to"),
        (("fit", "--furnace", "nobody", *SPAN), "got 0 from .*; left out: 375: without a score"),
        (("show",), "expected --furnace or --file"),
        (("show", "--file", "nowhere"), "nowhere: No such file"),
        (("publish", "nowhere", "--why", "so"), "nowhere: No such file"),
        (("publish", __file__, "--why", "so"), "expected a portrait"),
        (("retire", "--furnace", FURNACE, "--why", "so"), "has none"),
        (("retire", "--furnace", "a//b", "--why", "so"), "furnace id: expected levels"),
        (("retire", "--furnace", FURNACE, "--why", "\x1b[2J"), "printable characters"),
    ],
)
def test_bad_usage_is_one_line(command: Meltwatch, told: tuple[str, ...], expected: str) -> None:
    with pytest.raises(FatalError, match=expected) as caught:
        command(*told)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_it_is_published_shown_listed_and_retired(
    command: Meltwatch, plain: Plain, topic: FakeTopic, tmp_path: Path, capsys
) -> None:
    file, picture = tmp_path / "a.portrait", tmp_path / "a.svg"
    file.write_bytes(plain.value)
    assert command("show", "--furnace", FURNACE) == 1
    assert "no portrait stands" in capsys.readouterr().out
    assert command("list") == 1

    assert command("publish", str(file), "--why", "commissioned", "--user", "li") == 0
    capsys.readouterr()
    assert plain.told["published"]
    topic.log += plain.topic.log
    assert command("show", "--furnace", FURNACE, "--picture", str(picture)) == 0
    said = capsys.readouterr().out
    assert ", by wang: camera moved" in said
    assert "of the ensemble" not in said
    assert "log-odds 0 or more" in said
    drawn = ET.fromstring(picture.read_text())  # noqa: S314 - our own
    cells = [each for each in drawn.iter() if each.tag.endswith("rect")]
    assert len(cells) == 1 + 2 * 64 * len(mode_pictures(decode_portrait(file.read_bytes())))
    assert command("list") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(FURNACE)

    assert command("retire", "--furnace", FURNACE, "--why", "camera gone", "--user", "li") == 0
    assert command("show", "--furnace", FURNACE) == 1
    assert topic.log[-1].value is None
    assert topic.log[-1].headers == (("change.by", b"li"), ("change.why", b"camera gone"))


def test_of_a_furnace_its_newest_record_counts_as_for_the_stream_processor() -> None:
    old, new = (encode_portrait(portrait(made_at_ns=at_ns)) for at_ns in (1, 2))
    name = portrait().furnace_id
    log = [portrait_record(name, value, offset) for offset, value in enumerate((old, new))]
    log.append(portrait_record("another/one", old, 2))
    found = standing(log)
    assert list(found) == [name], "the other's key is not its furnace"
    assert (found[name].value, found[name].by, found[name].why) == (new, "li", "so")
    for last in (None, b"\xc1"):
        assert standing([*log, portrait_record(name, last, 3)]) == {}


def test_a_strangers_portrait_is_drawn_without_a_fault() -> None:
    """Numbers as large, and laws as flat, as the message allows."""
    side = packed_side(Modality.VIDEO)
    (mode,) = side.modes
    for filled in (0.0, 65504.0):
        wild = mode._replace(
            mean=np.full_like(mode.mean, -1e6),
            factor=np.full_like(mode.factor, filled),
            exponents=np.full_like(mode.exponents, 40),
        )
        made = portrait(sides={Modality.VIDEO: replace(side, modes=(wild,))})
        (shown,) = mode_pictures(made)
        assert np.isfinite(shown.spreads).all()
        assert (shown.colours >= 0).all()
        assert (shown.colours <= 255).all()


@pytest.mark.parametrize("fewest", [FEWEST, 10**6])
def test_who_adopts_a_furnace_has_a_portrait_made_of_the_same_hours(
    past: dict[TopicPart, list[RawRecord]],
    plain: Plain,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fewest: int,
) -> None:
    """What is too little for a portrait is said, and the rest of the answer stands."""
    monkeypatch.setattr(portraying, "FEWEST_WINDOWS", fewest)
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")
    file = tmp_path / "of it.portrait"

    root()(
        ["furnaces", "adopt", FURNACE, *SPAN, "--portrait", str(file)],
        result_action="return_value",
    )

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("portrait ")]
    if fewest == FEWEST:
        again, once = decode_portrait(file.read_bytes()), decode_portrait(plain.value)
        assert again.windows == once.windows
        assert f"portrait publish '{file}' --why" in lines[-1]
    else:
        assert not file.exists()
        assert "none was made: expected at least" in lines[-1]
