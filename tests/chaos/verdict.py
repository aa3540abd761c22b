"""The verdict on a campaign: every published window against the rule, every number accounted for.

What is asked, in the words of the product's promise: no window number without a record (*lost*),
no window that says something else than the records before its cut (*changed*), none behind a
later one of its furnace (*out of order*), none twice with different content (*other*). Besides,
what was handed on in order may not be among the late copies, and what is there must belong there.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from tests.chaos.closing import not_due
from tests.chaos.oracle import (
    NUMBERS,
    SPEC_ID,
    Cut,
    Furnace,
    Oracle,
    Window,
    must_exist,
    window_at,
    window_id,
)
from tests.chaos.tape import MODALITIES, Chunk, Place, Raw, Score, Tape

Tensors = tuple[Any, Any, list[float]]
Asking = Callable[[Sequence[Tensors]], Sequence[float]]
"""Clips, currents and availabilities in, logits out: a Triton asked by somebody else."""

UNAVAILABLE: Final = "model_unavailable"
_TOLERANCE: Final = 1e-3
_RELATIVE: Final = 1e-6
# What differs between two publications of one window that say the same.
_OF_THE_MOMENT: Final = ("times", "inputs", "reasons")
_NUMBERS: Final = ("logit", "probability", "disagreement")


@dataclass
class Verdict:
    """What was found; every list but the counts must be empty.

    Attributes
    ----------
    windows, identical, late, strangers, unscored_for_outage
        How many windows were published, published twice alike, records came late, records were
        refused as they must be, and windows went out unscored because the scorer was away.
    lost, changed, out_of_order, other
        One line each for what must not be.
    """

    windows: int = 0
    identical: int = 0
    late: int = 0
    strangers: int = 0
    unscored_for_outage: int = 0
    lost: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """All that must not be, kind by kind."""
        kinds = ("lost", "changed", "out_of_order", "other")
        return [f"{kind}: {line}" for kind in kinds for line in getattr(self, kind)]


def judge(
    tape: Tape,
    ask: Asking,
    *,
    outages: bool = False,
    lockstep: bool = True,
    every: int = 1,
    others: Mapping[str, Asking] | None = None,
) -> Verdict:
    """Judge a campaign.

    Parameters
    ----------
    tape
        What it left.
    ask
        Gives the logits of windows.
    outages
        Whether windows may be unscored because the scorer was away for long.
    lockstep
        Whether no topic was behind the other one on its way, so that only what came out of order
        in its own topic can be late, or behind a silence of its source that timestamps tell of.
    every
        Of so many windows one is scored once more; what it rests on is checked for all.
    others
        Who gives the logits of other ensembles, by the digest that a score names.
    """
    verdict, oracle = Verdict(), Oracle(tape)
    accepted = _in_order(tape.scores, verdict)
    verdict.windows = len(accepted)
    verdict.unscored_for_outage = sum(UNAVAILABLE in s.fields["reasons"] for s in accepted)
    explained = []
    for score in accepted:
        furnace = oracle.furnaces.get(score.furnace)
        if furnace is None or furnace.is_silent(score.end, score.cut):
            verdict.changed.append(f"{_name(score)}: no record of the furnace before the cut")
            continue
        window = window_at(furnace, score.end, score.cut)
        explained.append((score, window))
        differences = [
            *_differences(score, furnace, window, outages=outages),
            *not_due(furnace, score, lockstep=lockstep),
        ]
        verdict.changed += [f"{_name(score)}: {line}" for line in differences]
    verdict.changed += _falling_cuts(accepted)
    for digest, found in _by_ensemble(explained[::every]).items():
        verdict.changed += _wrong_logits(found, (others or {}).get(digest, ask))
    verdict.lost += _missing(accepted, oracle)
    _judge_copies(tape, oracle, accepted, verdict)
    return verdict


def missing(tape: Tape, oracle: Oracle) -> list[str]:
    """Which windows are not there yet."""
    return _missing(_in_order(tape.scores, Verdict()), oracle)


def unrefused(tape: Tape, topics: Collection[str] = ()) -> set[Place]:
    """Which strangers have no dead letter yet, on some topics or on all."""
    due = {each.place for each in tape.strangers if not topics or each.place[0] in topics}
    return due - {letter.place for letter in tape.dead}


def _name(score: Score) -> str:
    return f"{score.furnace} {score.end}"


def _in_order(scores: Sequence[Score], verdict: Verdict) -> list[Score]:
    """What a reader accepts that ignores a window end not greater than the furnace's last."""
    accepted: list[Score] = []
    newest: dict[str, int] = {}
    seen: dict[tuple[str, int], Score] = {}
    for score in scores:
        before = seen.get((score.furnace, score.end))
        if before is not None:
            if _says(before) == _says(score) and _is_near(before, score):
                verdict.identical += 1
            else:
                verdict.other.append(f"{_name(score)} at offset {score.offset}")
        elif score.end < newest.get(score.furnace, score.end):
            verdict.out_of_order.append(f"{_name(score)} behind {newest[score.furnace]}")
        else:
            accepted.append(score)
            newest[score.furnace] = score.end
        seen.setdefault((score.furnace, score.end), score)
    return accepted


def _says(score: Score) -> dict[str, Any]:
    passing = (*_OF_THE_MOMENT, *_NUMBERS, "member_logits", "anomaly_map")
    return {name: value for name, value in score.fields.items() if name not in passing}


def _is_near(one: Score, other: Score) -> bool:
    pairs = [(one.fields[name], other.fields[name]) for name in _NUMBERS]
    return all(a is b if a is None or b is None else abs(a - b) <= _TOLERANCE for a, b in pairs)


def _differences(score: Score, furnace: Furnace, window: Window, *, outages: bool) -> Iterator[str]:
    """Where a score says something else than the rule."""
    fields = score.fields
    for modality in furnace.forgettable(score.cut):
        if fields["sources"][modality] is None:
            window.sources[modality] = None
    for name, expected in _expectations(score, window):
        if not _same(fields[name], expected):
            yield f"{name}: expected {expected}, got {fields[name]}"
    status = ("unscored", "degraded", "scored")[len(window.modalities)]
    away = outages and UNAVAILABLE in fields["reasons"]
    if fields["status"] != ("unscored" if away else status):
        yield f"status: expected {status}, got {fields['status']} {fields['reasons']}"
    for name in ("last_event", "last_ingest"):
        if fields["times"][f"{name}_ns"] != getattr(window, name):
            yield f"{name}: expected {getattr(window, name)}, got {fields['times'][f'{name}_ns']}"
    if score.needed != window.needed:
        yield f"first needed: expected {window.needed}, got {score.needed}"


def _expectations(score: Score, window: Window) -> Iterator[tuple[str, Any]]:
    yield "spec_id", SPEC_ID
    yield "window_id", window_id(score.furnace, score.end)
    yield "video_coverage", window.video_coverage
    yield "current_coverage", window.current_coverage
    yield "modalities", window.modalities
    yield "sources", dict(window.sources)
    if (window.clip is None) != (score.fields["encoder_id"] is None):
        yield "encoder_id", "one with video, none without"
    features: dict[str, Any] = dict(score.fields["features"])
    yield "features", features | _features(window)


def _features(window: Window) -> dict[str, Any]:
    if window.currents is None:
        return dict.fromkeys(("current_mean_a", "current_std_a", "imbalance"))
    currents = window.currents.astype(np.float64)
    means = [float(np.mean(currents[:, phase])) for phase in range(3)]
    spreads = [float(np.std(currents[:, phase])) for phase in range(3)]
    mean = sum(means) / 3
    imbalance = max(abs(m - mean) for m in means) / abs(mean)
    return {"current_mean_a": means, "current_std_a": spreads, "imbalance": imbalance}


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, Mapping):
        return all(_same(found.get(name), value) for name, value in expected.items())
    if isinstance(expected, list | tuple):
        return len(found or ()) == len(expected) and all(
            _same(a, b) for a, b in zip(found, expected, strict=True)
        )
    if isinstance(expected, float) and isinstance(found, float | int):
        return abs(found - expected) <= _RELATIVE * max(1.0, abs(expected))
    return bool(found == expected)


def _falling_cuts(accepted: Sequence[Score]) -> Iterator[str]:
    """A window may not know less than the one before it of its furnace did."""
    known: dict[tuple[str, str], int] = {}
    for score in accepted:
        for modality, last in score.cut.items():
            before = known.get((score.furnace, modality), -1)
            if last is not None and last < before:
                yield f"{_name(score)}: the {modality} cut falls from {before} to {last}"
            known[score.furnace, modality] = max(before, -1 if last is None else last)


def _by_ensemble(
    found: Sequence[tuple[Score, Window]],
) -> dict[str, list[tuple[Score, Window]]]:
    sorted_out: dict[str, list[tuple[Score, Window]]] = defaultdict(list)
    for score, window in found:
        sorted_out[score.digest].append((score, window))
    return sorted_out


def _wrong_logits(found: Sequence[tuple[Score, Window]], ask: Asking) -> list[str]:
    """Have somebody else judge the windows that the rule gives, and compare."""
    scored = [(s, w) for s, w in found if s.fields["logit"] is not None and w.modalities]
    logits = ask([_tensors(window) for _, window in scored])
    return [
        f"{_name(score)}: expected the logit {logit}, got {score.fields['logit']}"
        for (score, _), logit in zip(scored, logits, strict=True)
        if abs(logit - score.fields["logit"]) > _TOLERANCE
    ]


def _tensors(window: Window) -> Tensors:
    available = [float(modality in window.modalities) for modality in MODALITIES]
    return window.clip, window.currents, available


def _missing(accepted: Sequence[Score], oracle: Oracle) -> list[str]:
    """Window numbers for which there is no record, and records that have no number."""
    published: dict[str, dict[int, Score]] = defaultdict(dict)
    for score in accepted:
        published[score.furnace][score.end] = score
    lines = []
    for name, furnace in oracle.furnaces.items():
        mine = published[name]
        expected = set(must_exist(furnace, {end: score.cut for end, score in mine.items()}))
        lines += [f"{name} {end}" for end in sorted(expected - mine.keys())]
        lines += [f"{name} {end} is no window" for end in mine if not _is_end(name, end)]
    return lines


def _is_end(furnace: str, end: int) -> bool:
    return NUMBERS.first_end_after(furnace, end - 1) == end


def _judge_copies(tape: Tape, oracle: Oracle, accepted: Sequence[Score], verdict: Verdict) -> None:
    """Late copies and dead letters: those that must be there, and no other."""
    late, perhaps = _late_by_cuts(oracle, accepted)
    copies = set(tape.late)
    verdict.late = len(late)
    verdict.changed += _compared("late copy", late | (perhaps & copies), copies)
    intruders = {(chunk.place, chunk.raw, "unexpected_source") for chunk in oracle.refused}
    strangers = {(each.place, _as_letter(each.raw), each.expected) for each in tape.strangers}
    letters = {(letter.place, letter.raw, letter.error) for letter in tape.dead}
    verdict.changed += _compared("dead letter", intruders | strangers, letters)
    verdict.strangers = len(strangers)


def _as_letter(raw: Raw) -> Raw:
    """Key and value of a dead letter; Kafka's clients write none without either."""
    return (None, b"") if raw == (None, None) else raw


def _compared(what: str, expected: set[Any], found: set[Any]) -> Iterator[str]:
    names = {True: f"{what} missing", False: f"{what} of what is none"}
    for entry in expected ^ found:
        yield f"{names[entry in expected]}: {_shown(entry)}"


def _shown(entry: Any) -> str:
    """A copy in one line: where it stands and why, then the beginning of its bytes."""
    if not isinstance(entry[0], tuple):
        return str(entry)[:200]
    place, (key, value), reason = entry
    return f"{place} {reason} {key!r} {(value or b'')[:400]!r}"


def _late_by_cuts(oracle: Oracle, accepted: Sequence[Score]) -> tuple[set[Raw], set[Raw]]:
    """Records handed on after a window had closed that reaches up to one of their events.

    First those that were, then those that may have been: a window without a score closed unseen.
    """
    closings: dict[str, list[tuple[int, Cut]]] = defaultdict(list)
    for score in accepted:
        closings[score.furnace].append((score.end, score.cut))
    late, perhaps = set[Raw](), set[Raw]()
    for name, furnace in oracle.furnaces.items():
        for stream in furnace.streams.values():
            for chunk in stream.chunks:
                if _follows_a_score(chunk, closings[name]):
                    late.add(chunk.raw)
                elif _may_follow_silence(chunk, closings[name]):
                    perhaps.add(chunk.raw)
    return late, perhaps


Closings = Sequence[tuple[int, Cut]]
"""Of one furnace, the ends and cuts of its scores."""


def _follows_a_score(chunk: Chunk, closings: Closings) -> bool:
    """Tell whether a window that reaches up to its first event had closed before the record."""
    index = _first_from(chunk.times[0], closings)
    return index < len(closings) and not _is_seen(chunk, closings[index][1])


def _may_follow_silence(chunk: Chunk, closings: Closings) -> bool:
    """Tell whether such a window may have closed before it that has no score."""
    index = _first_from(chunk.times[0], closings)
    if not 0 < index < len(closings):
        return False
    (before, cut), (after, _) = closings[index - 1 : index + 1]
    unseen = after - before > NUMBERS.hop and chunk.times[0] <= after - NUMBERS.hop
    return unseen and not _is_seen(chunk, cut)


def _first_from(instant: int, closings: Closings) -> int:
    return bisect_left(closings, instant, key=lambda closing: closing[0])


def _is_seen(chunk: Chunk, cut: Cut) -> bool:
    last = cut[chunk.modality]
    return last is not None and chunk.offset <= last
