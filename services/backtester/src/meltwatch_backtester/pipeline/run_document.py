"""``run.json``: what was asked, of which data, and what was found."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from meltwatch_core.scoring.ports import EnsembleIdentity
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.portrait import portrait_id
from meltwatch_schemas.raises import answer_of, raised_in
from meltwatch_schemas.score import ScoreStatus

from meltwatch_backtester.domain.alarm_comparison import AlarmDifference
from meltwatch_backtester.domain.findings import (
    STATEMENTS,
    ExplainedDifference,
    Findings,
    FurnaceFindings,
    WindowDifference,
)
from meltwatch_backtester.domain.journal import ComparedTransition
from meltwatch_backtester.domain.labelled import LabelledAlarms
from meltwatch_backtester.domain.outcome import ReplayOutcome
from meltwatch_backtester.domain.question import PlantFacts, Question
from meltwatch_backtester.domain.thresholds import Threshold, Thresholds
from meltwatch_backtester.domain.window_comparison import MEANINGS


def parameters_of(
    question: Question, prefix: str, identity: EnsembleIdentity, plant: PlantFacts
) -> dict[str, Any]:
    """Return all parameters that decide the result of a run on the same data."""
    return {
        "prefix": prefix,
        "from": _time(question.span.from_ns),
        "to": _time(question.span.to_ns),
        "cuts": question.cuts.value,
        "furnaces": sorted(question.furnaces),
        "model": {
            "name": identity.model.name,
            "version": identity.model.version,
            "digest": identity.model.digest,
            "encoder_id": identity.encoder_id,
        },
        "thresholds": _thresholds(question.thresholds),
        **_tried_portraits(question.portraits),
        "plant": {
            furnace_id: [point.model_dump(mode="json", by_alias=True) for point in points]
            for furnace_id, points in sorted(plant.points.items())
        },
    }


def run_id_of(parameters: Mapping[str, Any], starts: Mapping[str, int]) -> str:
    """Return a run's id: 16 hex digits that the same question on the same data always gives.

    Parameters
    ----------
    parameters
        What was asked.
    starts
        Where the data begin, by topic and partition; their ends move while live goes on.
    """
    text = json.dumps([parameters, starts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_document(
    parameters: Mapping[str, Any],
    run_id: str,
    outcome: ReplayOutcome,
    labelled: LabelledAlarms | None = None,
) -> dict[str, Any]:
    """Return ``run.json``; without labels it says nothing of them."""
    answer = answer_of(raised_in(outcome.live_alarms), raised_in(outcome.alarms))
    if labelled is not None:
        answer = labelled.judged(answer)
    asked = {name: value for name, value in parameters.items() if name != "plant"}
    tally, findings = outcome.tally, outcome.findings
    return {
        "run_id": run_id,
        **asked,
        "ranges": {
            topic.value: {str(number): list(found) for number, found in sorted(parts.items())}
            for topic, parts in sorted(tally.ranges.items())
        },
        "records": {topic.value: count for topic, count in sorted(tally.records.items())},
        "late": tally.late,
        "duplicates": tally.duplicates,
        "dead_letters": dict(sorted(tally.dead_letters.items())),
        "windows": {name: _windows(found) for name, found in sorted(findings.furnaces.items())},
        "comparison": _comparison(findings),
        **_novelties(outcome),
        "alarms": _alarms(outcome),
        "answer": answer.model_dump(mode="json", by_alias=True),
        **({} if labelled is None else {"labels": labelled.document()}),
    }


def _windows(found: FurnaceFindings) -> dict[str, int]:
    counts = {status.value: found.statuses[status] for status in ScoreStatus}
    return counts | {"skipped": found.skipped}


def _novelties(outcome: ReplayOutcome) -> dict[str, Any]:
    """Say where novelties came from; nothing where no window says anything of a portrait."""
    portrayed = outcome.tally.portrayed
    if not portrayed:
        return {}
    return {
        "novelty": {
            "furnaces": {name: asdict(found) for name, found in sorted(portrayed.items())},
            "largest_difference": outcome.findings.largest_novelty_difference,
        }
    }


def _comparison(findings: Findings) -> dict[str, Any]:
    models = [
        dict(zip(("name", "version", "digest"), model, strict=True))
        for model in sorted(findings.live_models)
    ]
    return {
        "verdict": findings.verdict.value,
        "statement": STATEMENTS[findings.verdict],
        "live_models": models,
        "windows": {
            "compared": findings.compared,
            "equal": findings.equal,
            "largest_logit_difference": findings.largest_logit_difference,
            "differences": {
                kind.value: {
                    "count": count,
                    "explained": kind.is_explained,
                    "meaning": MEANINGS[kind],
                    "first": [_window_difference(each) for each in findings.first[kind]],
                }
                for kind, count in sorted(findings.kinds.items())
            },
        },
        "alarms": {
            "compared": findings.alarms_compared,
            "equal": findings.alarms_compared - len(findings.alarm_differences),
            "differences": [_alarm_difference(each) for each in findings.alarm_differences],
        },
    }


def _window_difference(found: WindowDifference) -> dict[str, Any]:
    return {
        "furnace_id": found.furnace_id,
        "window_end": _time(found.window_end_ns),
        "window_id": found.window_id,
        "detail": found.detail,
    }


def _alarm_difference(found: ExplainedDifference) -> dict[str, Any]:
    difference: AlarmDifference = found.difference
    return {
        "alarm_id": difference.alarm_id,
        "explained": found.is_explained,
        "why": found.why,
        "live": [_transition(each) for each in difference.live],
        "replayed": [_transition(each) for each in difference.replayed],
    }


def _transition(found: ComparedTransition) -> dict[str, Any]:
    return {
        "cause": found.cause,
        "window_end": rfc3339(found.window_end),
        "state": found.state,
        "by": found.by,
    }


def _alarms(outcome: ReplayOutcome) -> list[dict[str, Any]]:
    """Say of each alarm point all that its rule needs to go over the windows again."""
    raises = [each.alarm_id for each in outcome.alarms if each.transition.cause == "RAISE"]
    return [
        {
            "alarm_id": alarm_id,
            "state": outcome.states.get(alarm_id, "NORM"),
            "raises": raises.count(alarm_id),
            "logit_on": point.setpoint.logit_on,
            "logit_off": point.setpoint.logit_off,
            "imbalance_on": point.setpoint.imbalance_on,
            "imbalance_off": point.setpoint.imbalance_off,
            "novelty_on": point.setpoint.novelty_on,
            "novelty_off": point.setpoint.novelty_off,
            "on_delay_s": point.setpoint.on_delay_s,
            "off_delay_s": point.setpoint.off_delay_s,
            "k": point.setpoint.k,
            "n": point.setpoint.n,
            **_before(outcome.before.get(alarm_id)),
        }
        for alarm_id, point in sorted(outcome.points.items())
    ]


def _before(record: AlarmRecord | None) -> dict[str, Any]:
    """Say whether an alarm stood before the span, and up to which window that was known."""
    known = None if record is None or record.raise_time is None else record.evidence.window_end
    return {
        "active_before": record is not None and record.active,
        "known_until": None if known is None else rfc3339(known),
    }


def _thresholds(thresholds: Thresholds) -> dict[str, Any]:
    overheat = thresholds.overheat
    named = {name: _threshold(found) for name, found in sorted(thresholds.named.items())}
    return {"all": None if overheat is None else _threshold(overheat), **named}


def _tried_portraits(portraits: Mapping[str, bytes]) -> dict[str, Any]:
    """Say which portraits are tried; nothing without one, so that run ids stay what they were."""
    found = {name: portrait_id(value) for name, value in sorted(portraits.items())}
    return {"portraits": found} if found else {}


def _threshold(threshold: Threshold) -> list[float | None]:
    return [threshold.logit_on, threshold.logit_off]


def _time(time_ns: int) -> str:
    return rfc3339(utc_from_ns(time_ns))
