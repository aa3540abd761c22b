"""The referee himself: he agrees with brute force, and sees whatever is wrong."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.chaos.oracle import NUMBERS, SPEC_ID, Oracle, window_at, window_id
from tests.chaos.tape import CURRENT, MODALITIES, TOPICS, VIDEO, Chunk, Letter, Score, Tape
from tests.chaos.verdict import Verdict, judge
from tests.support import oracle as brute

ORIGIN = 1_760_000_000_000_000_000
S = 1_000_000_000
END_S = 185
AWAY_S = (12, 170)
BLIND_S = (40, 60)


def chunks(seed: int) -> list[Chunk]:
    """Records of one furnace that stays and one that comes and goes, in the order handed on."""
    rng = random.Random(seed)
    planned: list[tuple[int, int, str, str]] = []
    for furnace in ("a/F1", "a/F2"):
        for modality, period in ((CURRENT, S), (VIDEO, NUMBERS.stride)):
            for time in range(ORIGIN, ORIGIN + END_S * S, period):
                second = (time - ORIGIN) // S
                if furnace == "a/F2" and AWAY_S[0] <= second < AWAY_S[1]:
                    continue
                if modality == VIDEO and BLIND_S[0] <= second < BLIND_S[1]:
                    continue
                late = rng.choice((0,) * 40 + (3, 20)) * S
                planned.append((time + late, time, furnace, modality))
    offsets = dict.fromkeys(MODALITIES, 0)
    made = []
    for sent, time, furnace, modality in sorted(planned):
        source = "intruder" if rng.random() < 0.02 else "own"
        made.append(_chunk(rng, (time, furnace, modality), source, offsets[modality], sent))
        offsets[modality] += 1
    return made


def _chunk(
    rng: random.Random, what: tuple[int, str, str], source: str, offset: int, sent: int
) -> Chunk:
    time, furnace, modality = what
    count = 1 if modality == VIDEO else 2
    times = tuple(time + number * S // 2 for number in range(count))
    # Values as a live plant has them: what looks dead is a matter of quality, not of delivery.
    if modality == VIDEO:
        values = np.array([[rng.uniform(500.0, 2000.0)]], np.float32)
    else:
        amperes = [rng.gauss(40_000.0, 2_000.0) for _ in range(6)]
        amperes[rng.randrange(6)] *= rng.choice((1.0,) * 20 + (float("nan"),))
        values = np.array(amperes, np.float32).reshape(2, 3)
    return Chunk(
        modality=modality,
        partition=0,
        offset=offset,
        furnace=furnace,
        source=source,
        times=times,
        values=values,
        ingest=times[-1] + 5,
        raw=(furnace.encode(), f"{modality}{offset}".encode()),
        stamp=sent + S,
        seq=(time - ORIGIN) * 4 // S,
        boot="0" * 16,
    )


def by_brute_force(records: Sequence[Chunk]) -> tuple[list[brute.Window], Tape]:
    """What brute force makes of them, and the tape that a faultless product would leave."""
    slow, windows, tape, now = brute.Oracle(brute.Numbers()), [], Tape(), ORIGIN
    for chunk in records:
        tape.chunks.setdefault((0, chunk.modality), []).append(chunk)
        while now + 4 * S <= chunk.stamp:
            now += 4 * S
            windows += told_at(slow.pass_time(now, dict.fromkeys(MODALITIES, now)), now)
        rows = chunk.values.tolist()
        values = tuple(row[0] if chunk.modality == VIDEO else tuple(row) for row in rows)
        told = slow.hand_on(
            brute.Record(
                chunk.modality, chunk.offset, chunk.furnace, chunk.source, chunk.times, values,
                chunk.ingest, seq=chunk.seq, boot=chunk.boot,
            ),
            chunk.stamp,
            dict.fromkeys(MODALITIES, now),
        )  # fmt: skip
        windows += told_at(told, chunk.stamp)
        if told.late:
            tape.late.append(chunk.raw)
        if told.refusal:
            tape.dead.append(Letter(chunk.place, chunk.raw, told.refusal, "stream_processor"))
    tape.scores.extend(_scores(windows))
    return [window for _, window in windows], tape


def told_at(told: brute.Result, now: int) -> list[tuple[int, brute.Window]]:
    return [(now, window) for window in told.windows]


def _scores(windows: Sequence[tuple[int, brute.Window]]) -> Iterator[Score]:
    for offset, (now, window) in enumerate(windows):
        tensors = (window.clip, window.currents)
        modalities = [m for m, t in zip(MODALITIES, tensors, strict=True) if t is not None]
        grid = None if window.currents is None else np.array(window.currents, np.float64)
        mean = grid.mean(axis=0).tolist() if grid is not None else None
        logit = 1.0 if modalities else None
        yield Score(
            0,
            offset,
            {
                "furnace_id": window.furnace,
                "window_end_ns": window.end,
                "window_id": window_id(window.furnace, window.end),
                "spec_id": SPEC_ID,
                "status": ("unscored", "degraded", "scored")[len(modalities)],
                "modalities": modalities,
                "video_coverage": window.video_coverage,
                "current_coverage": window.current_coverage,
                "logit": logit,
                "probability": logit,
                "disagreement": logit,
                "model": {"digest": "the one"},
                "encoder_id": "encoder" if VIDEO in modalities else None,
                "sources": dict(zip(MODALITIES, window.sources, strict=True)),
                "features": {
                    "current_mean_a": mean,
                    "current_std_a": grid.std(axis=0).tolist() if grid is not None else None,
                    "imbalance": None if mean is None else _imbalance(mean),
                },
                "reasons": [word for word in window.reasons if word.startswith("behind")],
                "times": {
                    "last_event_ns": window.last_event,
                    "last_ingest_ns": window.last_ingest,
                    "published_ns": now,
                },
                "inputs": {
                    f"p.{TOPICS[modality]}.v1": [0, *cut]
                    for modality, cut in zip(MODALITIES, window.cuts, strict=True)
                },
            },
        )


def _imbalance(mean: Sequence[float]) -> float:
    middle = sum(mean) / 3
    return max(abs(m - middle) for m in mean) / middle


def judged(tape: Tape) -> Verdict:
    """The verdict, where every window has the logit 1."""
    return judge(tape, lambda windows: [1.0] * len(windows))


@pytest.fixture(scope="module")
def played() -> tuple[list[brute.Window], Tape]:
    return by_brute_force(chunks(seed=1))


def test_he_agrees_with_brute_force(played: tuple[list[brute.Window], Tape]) -> None:
    windows, tape = played
    oracle = Oracle(tape)
    for score, slow in zip(tape.scores, windows, strict=True):
        quick = window_at(oracle.furnaces[score.furnace], score.end, score.cut)
        assert (quick.video_coverage, quick.current_coverage) == (
            slow.video_coverage, slow.current_coverage,
        )  # fmt: skip
        for ours, theirs in ((quick.clip, slow.clip), (quick.currents, slow.currents)):
            assert (ours is None) == (theirs is None)
            assert ours is None or ours.ravel().tolist() == np.ravel(theirs).tolist()
    assert judged(tape).faults == []


def changed(score: Score, **fields: Any) -> Score:
    return replace(score, fields={**score.fields, **fields})


TAMPERINGS: dict[str, Callable[[list[Score]], None]] = {
    "lost": lambda scores: scores.__delitem__(30),
    "changed": lambda scores: scores.__setitem__(30, changed(scores[30], video_coverage=0.123)),
    "out_of_order": lambda scores: scores.insert(9, scores.pop(30)),
    "other": lambda scores: scores.insert(-1, changed(scores[-2], logit=2.0)),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_he_sees_what_is_wrong(played: tuple[list[brute.Window], Tape], kind: str) -> None:
    _, tape = played
    scores = list(tape.scores)
    TAMPERINGS[kind](scores)
    assert getattr(judged(replace(tape, scores=scores)), kind)


def test_he_sees_a_wrong_logit(played: tuple[list[brute.Window], Tape]) -> None:
    _, tape = played
    verdict = judge(tape, lambda windows: [1.01] * len(windows))
    assert any("logit" in line for line in verdict.changed)


def test_he_sees_copies_that_lack_or_are_none(played: tuple[list[brute.Window], Tape]) -> None:
    _, tape = played
    first = tape.chunks[0, VIDEO][0].raw
    assert judged(replace(tape, late=[*tape.late, first])).changed
    assert judged(replace(tape, late=tape.late[1:])).changed
    assert judged(replace(tape, dead=tape.dead[1:])).changed


def closed_early(tape: Tape, end_s: float) -> Verdict:
    """The verdict where a live window is as if it had closed with the one two before it."""
    live = [score for score in tape.scores if score.furnace == "a/F1"]
    index = next(i for i, score in enumerate(live) if score.end > ORIGIN + end_s * S)
    early = changed(
        live[index],
        inputs=live[index - 2].fields["inputs"],
        times=live[index - 2].fields["times"],
    )
    scores = [early if score is live[index] else score for score in tape.scores]
    return judged(replace(tape, scores=scores))


def test_he_sees_a_window_that_closed_too_early(played: tuple[list[brute.Window], Tape]) -> None:
    _, tape = played
    assert any("closed when" in line for line in closed_early(tape, 80).changed)


def test_he_sees_a_camera_that_was_not_waited_for(played: tuple[list[brute.Window], Tape]) -> None:
    """Only its silence allows that: with a frame in the middle of it, the windows are too early."""
    _, tape = played
    video = tape.chunks[0, VIDEO]
    index = next(
        i for i, chunk in enumerate(video)
        if chunk.furnace == "a/F1" and chunk.stamp > ORIGIN + BLIND_S[1] * S
    )  # fmt: skip
    soon = replace(video[index], stamp=ORIGIN + (BLIND_S[0] + 2) * S)
    frames = [*video[:index], soon, *video[index + 1 :]]
    verdict = judged(replace(tape, chunks={**tape.chunks, (0, VIDEO): frames}))
    assert any("closed when video had come to" in line for line in verdict.changed)


def test_he_sees_a_word_for_a_delay_that_there_was_not(
    played: tuple[list[brute.Window], Tape],
) -> None:
    _, tape = played
    wrong = changed(tape.scores[30], reasons=["behind_video"])
    scores = [wrong if score is tape.scores[30] else score for score in tape.scores]
    assert any("behind_video: it was not" in line
               for line in judged(replace(tape, scores=scores)).changed)  # fmt: skip


def test_he_sees_a_cut_that_falls(played: tuple[list[brute.Window], Tape]) -> None:
    _, tape = played
    fallen = changed(tape.scores[-1], inputs=tape.scores[5].fields["inputs"])
    verdict = judged(replace(tape, scores=[*tape.scores[:-1], fallen]))
    assert any("falls from" in line for line in verdict.changed)


def test_he_forgives_what_was_said_twice_alike(played: tuple[list[brute.Window], Tape]) -> None:
    _, tape = played
    verdict = judged(replace(tape, scores=[*tape.scores, tape.scores[30]]))
    assert (verdict.identical, verdict.faults) == (1, [])
