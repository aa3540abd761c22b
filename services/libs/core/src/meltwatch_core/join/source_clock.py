"""One source's clock: event time against ingest time, record by record.

Kafka keeps the order of a source, so event times that go back while ``seq`` goes on, or that stand
still while ingest time goes on, come from its clock. Delayed delivery moves ingest time alone, and
a source that starts again has another ``boot_id``: neither is taken for a step. If one clock gives
both event and ingest time, only its steps back can be seen, not its steps forward.
"""

from typing import Final

from meltwatch_schemas.chunk import ChunkIdentity
from meltwatch_schemas.reasons import Reason
from meltwatch_schemas.score import Modality, SourceState

from meltwatch_core.join.rules import JoinRules, QualityLimits

CLOCK_STEP: Final = {
    Modality.VIDEO: Reason.CLOCK_STEP_VIDEO,
    Modality.CURRENT: Reason.CLOCK_STEP_CURRENT,
}
FROZEN_CLOCK: Final = {
    Modality.VIDEO: Reason.FROZEN_CLOCK_VIDEO,
    Modality.CURRENT: Reason.FROZEN_CLOCK_CURRENT,
}


def followed(
    state: SourceState | None,
    identity: ChunkIdentity,
    span_ns: tuple[int, int],
    limits: QualityLimits,
    reach_ns: int,
) -> SourceState:
    """Return the state of a source after its next record, as handed on.

    Parameters
    ----------
    state
        After the record before; None if this is the first.
    identity
        The record's; one that was sent again, its ``seq`` not above the last, changes nothing.
    span_ns
        The record's first and last event time.
    limits
        How far a clock may jump.
    reach_ns
        How far back a window can use its events: a source that was silent for longer begins anew.
    """
    first_ns, event_ns = span_ns
    proven, standing_since_ns, stepped_from_ns = False, identity.ingest_time_ns, None
    begun_ns: int | None = first_ns
    if state is not None:
        proven = state.proven
        if first_ns - state.event_ns <= reach_ns:
            begun_ns = state.begun_ns
        if identity.boot_id == state.boot_id:
            if identity.seq <= state.seq:
                return state
            delay_ns = identity.ingest_time_ns - event_ns
            stepped_from_ns = _stepped_from(state, first_ns, delay_ns, limits)
            if event_ns == state.event_ns:
                standing_since_ns = state.standing_since_ns
    return SourceState(
        proven=proven,
        boot_id=identity.boot_id,
        seq=identity.seq,
        event_ns=event_ns,
        ingest_ns=identity.ingest_time_ns,
        standing_since_ns=standing_since_ns,
        stepped_from_ns=stepped_from_ns,
        begun_ns=begun_ns,
    )


def is_set_back(state: SourceState) -> bool:
    """Tell whether a source's clock went back and has not reached its old time yet."""
    return state.stepped_from_ns is not None and state.event_ns < state.stepped_from_ns


def clock_words(
    state: SourceState, modality: Modality, end_ns: int, rules: JoinRules
) -> tuple[Reason, ...]:
    """Return what is wrong with a source's clock as of a window, for the score's ``reasons``.

    ``clock_step_…``: the window reaches back to before a step, or the clock went back and has not
    come again to where it was. ``frozen_clock_…``: records come, their event time stands still.
    """
    words = []
    from_ns = state.stepped_from_ns
    if from_ns is not None and min(end_ns - rules.reach_ns(modality), state.event_ns) < from_ns:
        words.append(CLOCK_STEP[modality])
    if state.ingest_ns - state.standing_since_ns > rules.quality.clock_stall_ns:
        words.append(FROZEN_CLOCK[modality])
    return tuple(words)


def _stepped_from(
    state: SourceState, first_ns: int, delay_ns: int, limits: QualityLimits
) -> int | None:
    """Return the newest event time before a step of the clock, old or new."""
    limit_ns, gap_ns = limits.clock_step_ns, first_ns - state.event_ns
    # A step forward sets a slow clock right. Behind a gap in old data that is delivered late and
    # at once, the delay is still large.
    forward = (
        gap_ns > limit_ns > delay_ns and state.ingest_ns - state.event_ns - delay_ns > limit_ns
    )
    if not forward and gap_ns >= -limit_ns:
        return state.stepped_from_ns
    return max(state.event_ns, state.stepped_from_ns or 0)
