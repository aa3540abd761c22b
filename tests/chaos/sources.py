"""A plant's own camera and meter, both real servers, while the broker is away for minutes.

A round is ten seconds of one outage. In its middle the producer is killed and started again.
"""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from meltwatch_schemas.window import NS_PER_S
from meltwatch_simulator import Scenario

from tests.chaos.load import MEMBERS
from tests.chaos.oracle import Oracle, window_at
from tests.chaos.report import Report
from tests.chaos.site import PATIENCE_S, Site
from tests.chaos.stage import Stage
from tests.chaos.tape import MODALITIES, Chunk, Reader, Tape
from tests.integration.source_producer.bench import SourceProducer, producing
from tests.support.furnace_site import furnace_site
from tests.support.waiting import until

NAME: Final = "sources"
FURNACE: Final = next(m.name for m in MEMBERS if m.name.startswith("chaos/steady/"))
"""One of the load's, as its alarms have points."""
_ROUND_S: Final = 10.0
_UNSENT_NS: Final = 10 * NS_PER_S
"""A record is made so soon after its event, also on a busy machine."""
_BEFORE: Final = 5
_AFTER: Final = 10


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Take the broker away once, for as many times ten seconds, and bring it back."""
    kafka = stage.kafka
    furnace = Scenario(seed, (FURNACE,), time.time_ns(), None).furnace(FURNACE)
    with stage.site(speed=1.0) as site, furnace_site(furnace) as plant:
        plant.write_plant_file(site.folder)
        site.worker(session_timeout_s=stage.session_s)
        with producing(kafka.address, site.prefix, site.folder) as first:
            _wait_ready(first)
            site.wait_more(_BEFORE)
            kafka.stop()
            time.sleep(rounds * _ROUND_S / 2)
            killed_ns = time.time_ns()
            first.kill()
        with producing(kafka.address, site.prefix, site.folder) as second:
            time.sleep(rounds * _ROUND_S / 2)
            kafka.start()
            kafka.wait_ready()
            site.fault("broker started again")
            until(lambda: not second.waits_for(3), second.log.read_text, PATIENCE_S)
            _wait_ready(second)
            site.wait_more(_AFTER)
            assert second.stop() == 0, second.log.read_text()[-2000:]
        return _judged(site, rounds, killed_ns)


def _wait_ready(producer: SourceProducer) -> None:
    until(lambda: producer.asked("/readyz") == "ok\n", producer.log.read_text, PATIENCE_S)


def _judged(site: Site, rounds: int, killed_ns: int) -> Report:
    report = site.finish(NAME, rounds)
    with Reader(site.kafka, site.prefix) as reader:
        tape = reader.tape()
    verdict = report.verdict
    verdict.lost += [*holes(tape), *unsent(tape, killed_ns)]
    verdict.lost += [f"{verdict.late} records came late"] if verdict.late else []
    verdict.changed += _other_than_undisturbed(tape)
    report.notes += _gaps(tape)
    return report


def _boots(tape: Tape, modality: str) -> dict[str, list[Chunk]]:
    """The records of each start of the producer, in their order."""
    found: dict[str, list[Chunk]] = {}
    for (_, kind), chunks in tape.chunks.items():
        for chunk in chunks if kind == modality else ():
            found.setdefault(chunk.boot, []).append(chunk)
    return dict(sorted(found.items(), key=lambda each: each[1][0].last))


def holes(tape: Tape) -> Iterator[str]:
    """Numbers of frames and samples that never came: each start counts from 0."""
    for modality in MODALITIES:
        boots = _boots(tape, modality)
        if len(boots) != 2:
            yield f"{modality}: expected records of two starts, got {len(boots)}"
        for boot, chunks in boots.items():
            numbers = {chunk.seq + n for chunk in chunks for n in range(len(chunk.times))}
            if missing := set(range(max(numbers) + 1)) - numbers:
                yield f"{modality} of {boot}: {len(missing)} of {max(numbers) + 1} never came"


def unsent(tape: Tape, killed_ns: int) -> Iterator[str]:
    """What the killed producer had seen and took with it."""
    for modality in MODALITIES:
        for chunks in list(_boots(tape, modality).values())[:1]:
            took_ns = killed_ns - max(chunk.last for chunk in chunks)
            if took_ns > _UNSENT_NS:
                yield f"{modality}: the last {took_ns / NS_PER_S:.1f} s before the kill"


def _gaps(tape: Tape) -> Iterator[str]:
    """How long nothing was seen while the producer was killed and started again."""
    for modality in MODALITIES:
        for before, after in pairwise(_boots(tape, modality).values()):
            gap_ns = min(c.times[0] for c in after) - max(c.last for c in before)
            yield f"{modality}: {gap_ns / NS_PER_S:.1f} s unseen around the kill"


def _other_than_undisturbed(tape: Tape) -> Iterator[str]:
    """Windows that would hold something else if all records had been there when they closed."""
    oracle = Oracle(tape)
    for score in tape.scores:
        furnace = oracle.furnaces[score.furnace]
        everything = {m: stream.offsets[-1] for m, stream in furnace.streams.items()}
        closed = window_at(furnace, score.end, score.cut)
        whole = window_at(furnace, score.end, everything)
        if not (_same(closed.clip, whole.clip) and _same(closed.currents, whole.currents)):
            yield f"{score.furnace} {score.end}: not as it would have been undisturbed"


def _same(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)
