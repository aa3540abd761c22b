import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_trainer.judge.statistics import auroc, fit_platt

scored = st.lists(
    st.tuples(st.integers(-5, 5).map(float), st.booleans()), min_size=2, max_size=40
).filter(lambda rows: {label for _, label in rows} == {True, False})


@given(rows=scored)
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in rows])
    anomalous = np.array([label for _, label in rows])
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in scores[anomalous]
        for low in scores[~anomalous]
    ]
    assert np.isclose(auroc(scores, anomalous), np.mean(pairs))


def test_calibration_recovers_the_line_that_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 2, 200_000)
    anomalous = rng.random(len(scores)) < 1 / (1 + np.exp(-(1.7 * scores)))
    line = fit_platt(scores, anomalous)
    assert np.isclose(line.scale, 1.7, atol=0.05)
    assert np.isclose(line.shift, 0.0, atol=0.05)


def test_calibration_does_not_depend_on_the_share_of_anomalies() -> None:
    rng = np.random.default_rng(2)
    scores = np.concatenate([rng.normal(-1, 1, 50_000), rng.normal(1, 1, 2_500)])
    anomalous = np.arange(len(scores)) >= 50_000
    line = fit_platt(scores, anomalous)
    assert np.isclose(line.scale, 2.0, atol=0.1)
    assert np.isclose(line.shift, 0.0, atol=0.1)


def test_perfectly_separated_scores_stay_finite() -> None:
    scores = np.array([-2.0, -1.0, 1.0, 2.0])
    line = fit_platt(scores, scores > 0)
    assert np.isfinite(line(scores)).all()
    assert line.scale > 0


@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, -1.0])
def test_the_calibration_finds_its_way_from_any_start(scale: float) -> None:
    rng = np.random.default_rng(3)
    anomalous = rng.random(4000) < 0.3
    truth = rng.normal(np.where(anomalous, 1.0, -1.0), 1.0)
    line = fit_platt(truth / scale, anomalous)
    assert line.scale / scale == pytest.approx(2.0, rel=0.15)
    assert line.shift == pytest.approx(0.0, abs=0.15)
