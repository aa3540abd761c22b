"""The verdict as one document of plain values, for machines and the models' card."""

from dataclasses import asdict
from math import isfinite
from typing import Any

from meltwatch_core.alarms.setpoints.bootstrap import Estimate

from meltwatch_trainer.judge.calibration_error import Doubt
from meltwatch_trainer.judge.judging import JudgingVerdict, SetVerdict, StateVerdict
from meltwatch_trainer.judge.row_calibration import SIMULATED, CalibratedRow
from meltwatch_trainer.judge.row_figures import Judged

Document = dict[str, Any]


def document(verdict: JudgingVerdict) -> Document:
    """Return all figures and thresholds; what is infinite or missing is null."""
    return {
        "simulated": verdict.served.basis.kind == SIMULATED,
        "served": {
            "logit_on": verdict.served.logit_on,
            "basis": verdict.served_basis.text(),
            **asdict(verdict.rule),
        },
        "budget": asdict(verdict.budget),
        "thresholds": {judge.row.name: _threshold(judge) for judge in verdict.judges},
        "sets": {one.name: _set(one) for one in verdict.sets},
    }


def _threshold(judge: CalibratedRow) -> Document:
    basis = judge.basis
    return {
        **asdict(basis),
        "logit_on": judge.logit_on,
        "own_logit_on": basis.logit_on,
        "extremal_index": basis.extremal_index,
        "expected_per_day": basis.tail.rate_above(judge.logit_on),
        "refusal": basis.refusal,
    }


def _set(one: SetVerdict) -> Document:
    return {
        "furnaces": one.furnaces,
        "faults": one.faults,
        "normal_days": one.normal_days,
        "rows": {row.name: _row(row) for row in one.judged},
        "ensemble_minus": {
            name: {figure: _estimate(found) for figure, found in figures.items()}
            for name, figures in one.differences.items()
        },
        "states": {state.state: _state(state) for state in one.states},
    }


def _row(row: Judged) -> Document:
    return {"title": row.title} | {name: _estimate(row.estimate(name)) for name in row.figures}


def _state(state: StateVerdict) -> Document:
    return {
        "calibration_error": _estimate(state.error),
        "disagreement": _doubt(state.disagreement),
        "uncertainty": _doubt(state.uncertainty),
    }


def _doubt(doubt: Doubt) -> Document:
    return {
        "separation": _number(doubt.separation),
        "error_by_quartile": list(doubt.error_by_quartile),
    }


def _estimate(found: Estimate | None) -> Document | None:
    return {name: _number(value) for name, value in asdict(found).items()} if found else None


def _number(value: float) -> float | None:
    return value if isfinite(value) else None
