"""What people said of stretches of time, laid onto recordings; refused where it does not fit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from meltwatch_schemas.alarm import AlarmVerdict
from meltwatch_schemas.instants import ns_from_utc, rfc3339, utc_from_ns
from meltwatch_schemas.labels import Label
from meltwatch_schemas.window import NS_PER_S
from numpy.typing import NDArray

from meltwatch_trainer.data.recorded.store import RecordedFurnace
from meltwatch_trainer.data.windows import ANOMALOUS, NORMAL, UNCLEAR, TimesNs
from meltwatch_trainer.errors import LabelError

MARGIN_NS: Final = 10 * NS_PER_S
"""So near to a labelled fault nobody can say what a window shows: it belongs to no class."""
SLACK_NS: Final = 2 * NS_PER_S
"""A label may reach so far beyond the first and last window: it is at its recording's edge."""
REPAIR: Final = "--repair labels"


class LabelledSpan(NamedTuple):
    """Event times ``[start_ns, end_ns)``."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class LabelledTime:
    """What was said of one recording, each in order of time.

    Attributes
    ----------
    faults
        Something was wrong.
    unclear
        Nobody could say.
    look_alikes
        An alarm was raised, and nothing was wrong.
    margin_ns
        So near to a fault nobody could say.
    """

    faults: tuple[LabelledSpan, ...] = ()
    unclear: tuple[LabelledSpan, ...] = ()
    look_alikes: tuple[LabelledSpan, ...] = ()
    margin_ns: int = MARGIN_NS

    def of_windows(self, ends_ns: TimesNs) -> NDArray[np.int8]:
        """Return the class of each window by where it ends."""
        labels = np.full(len(ends_ns), NORMAL, dtype=np.int8)
        labels[self.doubtful(ends_ns)] = UNCLEAR
        for start_ns, end_ns in self.faults:
            labels[_within(ends_ns, start_ns - self.margin_ns, end_ns + self.margin_ns)] = UNCLEAR
        for start_ns, end_ns in self.faults:
            labels[_within(ends_ns - 1, start_ns, end_ns)] = ANOMALOUS
        return labels

    def doubtful(self, ends_ns: TimesNs) -> NDArray[np.bool_]:
        """Tell which windows end where nobody could say what was so."""
        found = np.zeros(len(ends_ns), dtype=np.bool_)
        for stretch in self.unclear:
            found |= _within(ends_ns, *stretch)
        return found


_Said = dict[AlarmVerdict, list[LabelledSpan]]


def labelled(
    furnaces: Sequence[RecordedFurnace], labels: Iterable[Label], *, repair: bool
) -> list[LabelledTime]:
    """Return what labels say of each recording that nobody drew masks for.

    Parameters
    ----------
    repair
        Leave out what is of other furnaces and times, cut what reaches beyond a recording, and
        join labels of one verdict that overlap. Without it each of these is refused.

    Raises
    ------
    LabelError
        With the first label that does not fit, and the reason.
    """
    check_apart(furnaces)
    found: list[_Said] = [{verdict: [] for verdict in AlarmVerdict} for _ in furnaces]
    for number, label in enumerate(labels, start=1):
        stretch = LabelledSpan(ns_from_utc(label.start), ns_from_utc(label.end))
        place = f"label {number}, {label.furnace}, {_told(stretch)}"
        touched = [i for i, each in enumerate(furnaces) if _touches(each, label, stretch)]
        if not touched and not repair:
            raise LabelError(f"{place}: {_expected(furnaces, label)}; {REPAIR} leaves it out")
        for i in touched:
            cut = _cut(furnaces[i], stretch)
            if cut != stretch and not repair:
                whole = _told(_span(furnaces[i]))
                raise LabelError(
                    f"{place}: expected a time within the recording {furnaces[i].name}, {whole}; "
                    f"{REPAIR} cuts it"
                )
            found[i][label.verdict].append(cut)
    return [_in_order(each, of, repair=repair) for each, of in zip(found, furnaces, strict=True)]


def masked(furnace: RecordedFurnace, hop_ns: int) -> LabelledTime:
    """Return the faults of a recording with masks: windows on end whose newest frame shows one."""
    is_hot = np.asarray(furnace.masks.any(axis=(1, 2)))
    faults: list[LabelledSpan] = []
    for end_ns in furnace.ends_ns[is_hot].tolist():
        if faults and end_ns - hop_ns <= faults[-1].end_ns:
            faults[-1] = LabelledSpan(faults[-1].start_ns, end_ns)
        else:
            faults.append(LabelledSpan(end_ns - hop_ns, end_ns))
    return LabelledTime(tuple(faults), margin_ns=0)


def check_apart(furnaces: Sequence[RecordedFurnace]) -> None:
    """Refuse two recordings of the same hours of one furnace: they would judge themselves.

    Raises
    ------
    LabelError
        With the two.
    """
    ordered = sorted(furnaces, key=lambda each: (each.furnace_id, int(each.ends_ns[0])))
    for one, other in pairwise(ordered):
        if one.furnace_id == other.furnace_id and one.ends_ns[-1] >= other.ends_ns[0]:
            raise LabelError(
                f"{one.name} and {other.name}: expected recordings of different times of "
                f"{one.furnace_id}, got {_told(_span(one))} and {_told(_span(other))}"
            )


def _in_order(said: _Said, furnace: RecordedFurnace, *, repair: bool) -> LabelledTime:
    kinds = {
        verdict: _joined(stretches, furnace, repair=repair) for verdict, stretches in said.items()
    }
    every = sorted((s, verdict) for verdict, stretches in kinds.items() for s in stretches)
    for (one, told), (other, tells) in pairwise(every):
        if other.start_ns < one.end_ns:
            raise LabelError(
                f"{furnace.name}: expected one verdict for a time, got {told} for {_told(one)} and "
                f"{tells} for {_told(other)}"
            )
    return LabelledTime(
        faults=kinds[AlarmVerdict.TRUE_ALARM],
        unclear=kinds[AlarmVerdict.UNCLEAR],
        look_alikes=kinds[AlarmVerdict.FALSE_ALARM],
    )


def _joined(
    stretches: Sequence[LabelledSpan], furnace: RecordedFurnace, *, repair: bool
) -> tuple[LabelledSpan, ...]:
    found: list[LabelledSpan] = []
    for stretch in sorted(stretches):
        if not found or stretch.start_ns >= found[-1].end_ns:
            found.append(stretch)
            continue
        if not repair:
            raise LabelError(
                f"{furnace.name}: expected labels that do not overlap, got {_told(found[-1])} and "
                f"{_told(stretch)}; {REPAIR} joins them"
            )
        found[-1] = LabelledSpan(found[-1].start_ns, max(found[-1].end_ns, stretch.end_ns))
    return tuple(found)


def _expected(furnaces: Sequence[RecordedFurnace], label: Label) -> str:
    own = [each for each in furnaces if each.furnace_id == label.furnace]
    if any(each.has_masks for each in own):
        return "expected no label of a recording that has masks"
    if own:
        spans = ", ".join(_told(_span(each)) for each in own[:3])
        return f"expected a time within a recording of the furnace: {spans}"
    names = ", ".join(sorted({each.furnace_id for each in furnaces if not each.has_masks})[:5])
    return f"expected a furnace of the recordings: {names or 'there is none without masks'}"


def _touches(furnace: RecordedFurnace, label: Label, stretch: LabelledSpan) -> bool:
    span = _span(furnace)
    is_same = furnace.furnace_id == label.furnace and not furnace.has_masks
    return is_same and stretch.start_ns < span.end_ns and stretch.end_ns > span.start_ns


def _cut(furnace: RecordedFurnace, stretch: LabelledSpan) -> LabelledSpan:
    span = _span(furnace)
    return LabelledSpan(max(stretch.start_ns, span.start_ns), min(stretch.end_ns, span.end_ns))


def _span(furnace: RecordedFurnace) -> LabelledSpan:
    """Return when a recording can be judged, with a hop or two at its edges."""
    return LabelledSpan(int(furnace.ends_ns[0]) - SLACK_NS, int(furnace.ends_ns[-1]) + SLACK_NS)


def _within(times_ns: TimesNs, start_ns: int, end_ns: int) -> NDArray[np.bool_]:
    return (times_ns >= start_ns) & (times_ns < end_ns)


def _told(stretch: LabelledSpan) -> str:
    return f"{rfc3339(utc_from_ns(stretch.start_ns))} to {rfc3339(utc_from_ns(stretch.end_ns))}"
