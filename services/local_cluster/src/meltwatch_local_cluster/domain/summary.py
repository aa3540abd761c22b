"""The result of a run: faults found or missed, false alarms, windows, latencies, verdict."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator.schedule import Fault

from meltwatch_local_cluster.domain.fault_matching import TOLERANCE_NS, Raise, false_alarms, match
from meltwatch_local_cluster.domain.observed_run import WARM_UP_S, ObservedRun

MIN_SCORED_SHARE: Final = 0.95
_UNJUDGED_NS: Final = 5_000_000_000
_STATUSES: Final = ("scored", "degraded", "unscored")
_SHOWN_FALSE_ALARMS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was counted beside the topics.

    Attributes
    ----------
    ended_ns
        When streaming ended, ns UTC.
    skipped, duplicates
        Totals of the stream processor's metrics.
    """

    ended_ns: int
    skipped: int = 0
    duplicates: int = 0


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """A run in figures; every one of them was measured.

    Attributes
    ----------
    seed
        Of the simulator, None if it did not run.
    told
        For each fault that began in time, the raise that belongs to it, or None.
    windows, backfill
        Windows by status: live ones, and those of the time before the furnace was live.
    expected, scored
        Live windows of simulated furnaces that should have been, and that were, scored.
    event_to_score_s, event_to_alarm_s
        ``p50``, ``p95``, ``p99`` in seconds from window end to published score, and from raise
        time to published alarm; live windows after the warm-up alone, of the newest 100,000.
    """

    origin_ns: int
    measured: Measured
    seed: int | None
    furnaces: int
    told: Mapping[Fault, Raise | None]
    false_alarms: Sequence[Raise]
    windows: Mapping[str, int]
    backfill: Mapping[str, int]
    expected: int
    scored: int
    late: int
    dead_letters: int
    event_to_score_s: Mapping[str, float | None]
    event_to_alarm_s: Mapping[str, float | None]

    @property
    def duration_s(self) -> float:
        """How long the run streamed, seconds."""
        return round((self.measured.ended_ns - self.origin_ns) / 1e9, 3)

    def problems(self) -> list[str]:
        """Say why the run is bad, one line each; empty when it is good."""
        return [*self._missed(), *self._false(), *self._unscored()]

    def to_json(self) -> str:
        """Return the summary file's text."""
        content = {
            "duration_s": self.duration_s,
            "seed": self.seed,
            "furnaces": self.furnaces,
            "faults": [_fault_json(fault, raised) for fault, raised in self.told.items()],
            "false_alarms": len(self.false_alarms),
            "windows": dict(self.windows),
            "late": self.late,
            "duplicates": self.measured.duplicates,
            "dead_letters": self.dead_letters,
            "event_to_score_s": dict(self.event_to_score_s),
            "event_to_alarm_s": dict(self.event_to_alarm_s),
            "warm_up_s": WARM_UP_S,
            "backfill": dict(self.backfill),
            "problems": self.problems(),
        }
        return json.dumps(content, indent=2) + "\n"

    def _missed(self) -> Iterator[str]:
        for fault, raised in self.told.items():
            latest_ns = fault.end_ns + TOLERANCE_NS
            if raised is None and latest_ns <= self.measured.ended_ns:
                yield (
                    f"{fault.furnace_id}: expected an alarm between {_time(fault.start_ns)} and "
                    f"{_time(latest_ns)}, got none: the fault was missed"
                )

    def _false(self) -> Iterator[str]:
        for raised in self.false_alarms[:_SHOWN_FALSE_ALARMS]:
            yield f"{raised.alarm_id}: false alarm at {_time(raised.raise_ns)}"
        if (more := len(self.false_alarms) - _SHOWN_FALSE_ALARMS) > 0:
            yield f"and {more} more false alarms"

    def _unscored(self) -> Iterator[str]:
        if self.scored < MIN_SCORED_SHARE * self.expected:
            yield (
                f"windows: expected at least {MIN_SCORED_SHARE:.0%} of {self.expected} live ones "
                f"scored with both modalities, got {self.scored}"
            )


def summarise(
    run: ObservedRun, faults: Sequence[Fault], measured: Measured, seed: int | None
) -> RunSummary:
    """Compare what was observed with the truth.

    Parameters
    ----------
    run
        What the topics said, to their end.
    faults
        The truth: every fault that began before the end of the run.
    measured
        What was counted beside the topics.
    seed
        Of the simulator, None if it did not run.
    """
    told = match(faults, run.raises)
    live = run.live
    judged_until_ns = measured.ended_ns - _UNJUDGED_NS
    return RunSummary(
        origin_ns=run.origin_ns,
        measured=measured,
        seed=seed,
        furnaces=len(run.simulated),
        told={fault: told.get(fault) for fault in faults},
        false_alarms=false_alarms(faults, run.raises, run.simulated),
        windows=_by_status(live) | {"skipped": measured.skipped},
        backfill=_by_status(run.backfill),
        expected=sum(_expected(run, name, judged_until_ns) for name in run.simulated),
        scored=sum(run.furnaces[name].live["scored"] for name in run.simulated),
        late=run.late,
        dead_letters=run.dead_letters.total(),
        event_to_score_s=run.event_to_score.percentiles(),
        event_to_alarm_s=run.event_to_alarm.percentiles(),
    )


def _expected(run: ObservedRun, furnace_id: str, until_ns: int) -> int:
    """Count the live windows that should be there; a furnace that never sent one lacks them all."""
    furnace = run.furnaces[furnace_id]
    start_ns = run.origin_ns if furnace.live_from_ns is None else furnace.live_from_ns
    first_ns = PUBLISHED_SPEC.first_end_after(furnace_id, start_ns)
    return max(0, (until_ns - first_ns) // PUBLISHED_SPEC.hop_ns + 1)


def _by_status(counts: Counter[str]) -> dict[str, int]:
    return {status: counts[status] for status in _STATUSES}


def _fault_json(fault: Fault, raised: Raise | None) -> dict[str, Any]:
    return {
        "furnace_id": fault.furnace_id,
        "start": rfc3339(utc_from_ns(fault.start_ns)),
        "end": rfc3339(utc_from_ns(fault.end_ns)),
        "detected": raised is not None,
        "delay_s": round((raised.raise_ns - fault.start_ns) / 1e9, 3) if raised else None,
        "alarm_id": raised.alarm_id if raised else None,
        "heavy_mist": fault.heavy_mist,
    }


def _time(time_ns: int) -> str:
    return f"{utc_from_ns(time_ns):%H:%M:%SZ}"
