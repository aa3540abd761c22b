"""Records as producers send them, in the order in which they arrive: good, odd and foreign ones."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import strategies as st

from tests.support.oracle import Record
from tests.support.rule_numbers import CURRENT, VIDEO, Numbers

LIVE = "live"
SPELLS = {
    VIDEO: (LIVE, LIVE, "frozen", "black", "white"),
    CURRENT: (LIVE, LIVE, "stuck", "one stuck", "clipped", "lost", "unreadable", "off"),
}
"""What sources show; only a live one does what it should."""
PUBLISHED = Numbers()
SMALL = Numbers(
    clip_frames=3, stride=4, hop=8, points=6, period=3, hold=4,
    video_bound=2, current_bound=5, idle_gap=20, pause_cap=4, max_skew=40,
    min_frames=2, min_values=14,
)  # fmt: skip
"""Few instants close together: collisions, gaps, idleness and retirement come often."""


@st.composite
def small_sequences(draw: st.DrawFn, max_size: int = 60) -> list[Record]:
    """Records around a clock that walks, leaps now and then, with everything that goes wrong."""
    steps = draw(
        st.lists(
            st.tuples(
                st.sampled_from((VIDEO, CURRENT)),
                st.integers(0, 5),
                st.integers(-6, 3) | st.integers(-60, 10),
                st.integers(0, 4) | st.sampled_from((0, 1, 9, 30, 45, 70, 3000)),
                st.lists(st.integers(1, 6), max_size=2),
                st.integers(0, 19),
            ),
            min_size=draw(st.integers(0, max_size)),
            max_size=max_size,
        )
    )
    clock, offsets, records = 200, {VIDEO: 0, CURRENT: 0}, []
    for number, (modality, who, lateness, advance, gaps, quirk) in enumerate(steps):
        clock += advance
        offsets[modality] += 1 + (quirk == 0)
        times = [max(0, clock + lateness)]
        for gap in gaps if modality == VIDEO else gaps[:1] * len(gaps):
            times.append(times[-1] + gap)
        records.append(
            Record(
                modality=modality,
                offset=offsets[modality],
                furnace=f"site/{'aaaabc'[who]}",
                source="spare" if quirk in (1, 6) else "usual",
                times=tuple(times),
                values=values_of(modality, number, len(times), quirk),
                ingest=clock + 3,
                known_encoder=quirk not in (2, 6),
                seq=number,
            )
        )
    return records


@st.composite
def plant_sequences(draw: st.DrawFn, numbers: Numbers = SMALL, spans: int = 12) -> list[Record]:
    """Records of producers that mostly do their work, in the order in which they arrive.

    Built from one seed, so that long sequences stay cheap; how much goes wrong is drawn.
    """
    chance = random.Random(draw(st.integers(0, 2**32)))
    trouble = draw(st.sampled_from((0.0, 0.02, 0.15)))
    disorder = draw(st.sampled_from((0, numbers.current_bound, numbers.idle_gap * 3)))
    arrivals: list[tuple[float, Record]] = []
    for furnace in ("site/a", "site/b", "site/c")[: draw(st.integers(1, 3))]:
        clock = 10 * numbers.hop + chance.randrange(numbers.hop)
        for _ in range(chance.randint(1, spans)):
            length = chance.randint(1, 3 * numbers.lookback)
            for modality in (VIDEO, CURRENT):
                if chance.random() >= trouble:
                    arrivals += _running(
                        chance, numbers, (furnace, modality), (clock, length), trouble
                    )
            clock += length + chance.choice((0, 0, numbers.hop, numbers.lookback * 3))
    mishaps = [_mishap(chance, record) for _, record in arrivals if chance.random() < trouble]
    arrivals += [(record.times[-1] + chance.randint(0, 40), record) for record in mishaps]
    arrivals.sort(key=lambda arrival: arrival[0] + chance.uniform(0, disorder))
    return numbered([record for _, record in arrivals[:400]])


def numbered(records: Iterable[Record]) -> list[Record]:
    """The records with the offsets that this order gives them."""
    counters = {VIDEO: count(), CURRENT: count()}
    return [replace(record, offset=next(counters[record.modality])) for record in records]


def _running(
    chance: random.Random,
    numbers: Numbers,
    which: tuple[str, str],
    span: tuple[int, int],
    trouble: float,
) -> Iterator[tuple[float, Record]]:
    """A producer at work: chunks of one to three items at its usual pace.

    With trouble, its content goes through spells, its clock steps, and it starts again.
    """
    (furnace, modality), (start, length) = which, span
    period = numbers.stride if modality == VIDEO else numbers.period
    time, seq, boot, spell = start + chance.randrange(period), 0, "0" * 16, LIVE
    ahead, stands_at = 0, None
    while time < start + length:
        count = 1 if stands_at is not None else chance.choice((1, 1, 2, 3))
        times = tuple(time + index * period for index in range(count))
        shown = tuple(max(0, instant + ahead) for instant in times)
        shown = shown if stands_at is None else (stands_at,)
        values = values_of(modality, time // period % 400, count, chance.randrange(40), spell)
        ingest = times[-1] + 3
        record = Record(modality, 0, furnace, "usual", shown, values, ingest, seq=seq, boot=boot)
        yield times[-1], record
        seq += count
        time = times[-1] + chance.choice((period, period, period, 2 * period, 5 * period))
        if chance.random() < trouble:
            spell = chance.choice(SPELLS[modality])
        if chance.random() < trouble / 2:
            ahead, stands_at = chance.choice(((0, None), (-30, None), (-12, None), (0, shown[-1])))
        if chance.random() < trouble / 8:
            seq, boot = 0, "01"[boot[0] == "0"] * 16


def _mishap(chance: random.Random, record: Record) -> Record:
    """A record that repeats another one's instants, or that must be refused."""
    kind = chance.choice(("again", "other content", "other source", "other encoder"))
    if kind == "other content":
        return replace(record, values=values_of(record.modality, 401, len(record.times), 9))
    if kind == "other source":
        return replace(record, source="spare")
    return replace(record, known_encoder=kind != "other encoder", ingest=record.ingest + 1)


def values_of(
    modality: str, number: int, size: int, quirk: int, spell: str = LIVE
) -> tuple[Any, ...]:
    """Values that tell where they came from, but for spells; NaN in some phases by the quirk."""
    if modality == VIDEO:
        return tuple(_frame(number * 4 + index, spell) for index in range(size))
    nan = float("nan")
    lost = {3: (0,), 4: (0, 1, 2), 5: (1, 2)}.get(quirk, ())
    samples = [_sample(number * 16.0 + index * 4, spell) for index in range(size)]
    return tuple(
        tuple(nan if phase in lost else value for phase, value in enumerate(sample))
        for sample in samples
    )


def _frame(value: int, spell: str) -> float:
    """A frame's grey, in units of its coefficient: 3,478 is the first saturated one."""
    spells = {"frozen": 800.0, "black": value % 40.0, "white": 3500.0 + value % 8 * 2}
    return spells.get(spell, float(value))


def _sample(value: float, spell: str) -> tuple[float, ...]:
    sample = {
        "stuck": (500.0, 600.0, 700.0),
        "one stuck": (500.0, value + 1, value + 2),
        "clipped": (9000.0 if value % 32 else value, value + 1, value + 2),
        "lost": (value % 3, 200.0 + value, 300.0 + value),
        "unreadable": (300.0 + value, float("nan"), 200.0 + value),
        "off": (0.0, 0.0, 0.0),
    }
    return sample.get(spell, (value, value + 1, value + 2))
