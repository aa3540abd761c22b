"""Hysteresis and delays of one alarm point, in event time (designed along IEC 62682).

A sample at or above the upper threshold speaks for raising, one below the lower one for clearing;
what lies between neither starts nor resets a delay. A delay runs from the first sample that speaks
for the change. It is reset by one that speaks against it, or that comes from another portrait; a
gap freezes it. All of it is a function of the samples alone, so that re-reading them gives the same
condition again.
"""

from dataclasses import dataclass, replace
from typing import Final

from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC

MAX_GAP_NS: Final = 2 * PUBLISHED_SPEC.hop_ns
"""Longest distance of two samples that counts towards a delay: one missing window."""

MAX_SILENCE_RECORDS: Final = 10_000
"""A delay is given up when its furnace sent nothing for this many records of the partition.

Otherwise it would hold back the committed offset of all other furnaces there, without bound.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A verdict on one window.

    Attributes
    ----------
    end_ns
        Window end, ns UTC.
    level
        Calibrated fused logit, imbalance or surprise; plus or minus infinity where words are
        judged.
    position
        Offset of the score in its partition: where reading must begin again to see it.
    portrait
        Id of the portrait that the level comes from, if it comes from one.
    """

    end_ns: int
    level: float
    position: int
    portrait: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What an alarm point knows beyond its last record.

    Attributes
    ----------
    active
        The decision in force.
    since
        First sample of the delay that runs towards the other decision, or None.
    held_ns
        How long that delay has run, gaps not counted.
    newest
        The last sample observed.
    votes
        With k of n: the last samples, None where one did not reach the upper threshold, beginning
        with the oldest that did.
    """

    active: bool = False
    since: Sample | None = None
    held_ns: int = 0
    newest: Sample | None = None
    votes: tuple[Sample | None, ...] = ()

    def needed_from(self, position: int) -> int | None:
        """Return the oldest offset that a running delay needs to be read again, if any.

        Parameters
        ----------
        position
            Offset that the partition has been read up to.
        """
        if self.newest is None or position - self.newest.position > MAX_SILENCE_RECORDS:
            return None
        starts = [sample.position for sample in (self.since, *self.votes[:1]) if sample]
        return min(starts, default=None)


@dataclass(frozen=True, slots=True)
class Due:
    """A change of the decision.

    Attributes
    ----------
    first_ns
        Window end of the first sample that spoke for it.
    at_ns
        Event time at which its delay had passed.
    """

    first_ns: int
    at_ns: int


def observe(
    condition: Condition, sample: Sample, setpoint: Setpoint, max_gap_ns: int = MAX_GAP_NS
) -> Condition:
    """Return the condition after one more sample, the decision unchanged.

    Parameters
    ----------
    max_gap_ns
        Longest distance of two samples that counts; a replay of fewer windows passes a longer one.
    """
    condition = _without_abandoned_delay(condition, sample)
    # k of n is for raising alone; clearing always takes the off-delay.
    if setpoint.n is not None and not condition.active:
        return _count_vote(condition, sample, setpoint)
    raising, clearing = sample.level >= setpoint.on, sample.level < setpoint.off
    speaks_for, speaks_against = (clearing, raising) if condition.active else (raising, clearing)
    since, held_ns = condition.since, condition.held_ns + _counted_ns(condition, sample, max_gap_ns)
    # A sample between the thresholds does neither: it lets a running delay run on.
    if speaks_against:
        since = None
    elif since is None:
        since, held_ns = (sample if speaks_for else None), 0
    return replace(condition, since=since, held_ns=held_ns if since else 0, newest=sample, votes=())


def due(condition: Condition, setpoint: Setpoint) -> Due | None:
    """Return the change of the decision that the newest sample has brought, if any."""
    newest = condition.newest
    if newest is None:
        return None
    if setpoint.k is not None and not condition.active:
        hits = [vote for vote in condition.votes if vote is not None]
        return Due(hits[0].end_ns, newest.end_ns) if len(hits) >= setpoint.k else None
    delay_s = setpoint.off_delay_s if condition.active else setpoint.on_delay_s
    excess_ns = condition.held_ns - round(delay_s * NS_PER_S)
    if condition.since is None or excess_ns < 0:
        return None
    # The delay ended between two windows: that instant counts, whatever the hop.
    return Due(condition.since.end_ns, newest.end_ns - excess_ns)


def decided(condition: Condition) -> Condition:
    """Return the condition with the opposite decision and no delay running."""
    return Condition(active=not condition.active, newest=condition.newest)


def _without_abandoned_delay(condition: Condition, sample: Sample) -> Condition:
    newest, begun = condition.newest, condition.since or next(iter(condition.votes), None)
    is_silent = newest is not None and sample.position - newest.position > MAX_SILENCE_RECORDS
    # What another portrait said does not count towards what this one says.
    is_other = begun is not None and begun.portrait != sample.portrait
    return Condition(active=condition.active) if is_silent or is_other else condition


def _counted_ns(condition: Condition, sample: Sample, max_gap_ns: int) -> int:
    # Over a gap nothing is known: the delay stands still, it is not reset.
    gap_ns = sample.end_ns - condition.newest.end_ns if condition.newest else 0
    return gap_ns if 0 <= gap_ns <= max_gap_ns else 0


def _count_vote(condition: Condition, sample: Sample, setpoint: Setpoint) -> Condition:
    vote = sample if sample.level >= setpoint.on else None
    votes = (*condition.votes, vote)[-(setpoint.n or 1) :]
    first = next((index for index, cast in enumerate(votes) if cast), len(votes))
    return replace(condition, since=None, held_ns=0, newest=sample, votes=votes[first:])
