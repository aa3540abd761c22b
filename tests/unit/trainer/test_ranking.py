import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_trainer.judge.row_figures import aurocs, average_precision, recall_at
from meltwatch_trainer.judge.statistics import auroc

windows = st.lists(
    st.tuples(st.integers(-4, 4).map(float), st.booleans(), st.integers(0, 2)),
    min_size=2,
    max_size=40,
).filter(lambda rows: {anomalous for _, anomalous, _ in rows} == {True, False})


@given(windows, st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_the_area_of_a_resample_is_that_of_its_windows_written_out(
    rows: list[tuple[float, bool, int]], weights: list[int]
) -> None:
    scores, anomalous, unit = (np.array(column) for column in zip(*rows, strict=True))
    found = aurocs(scores, anomalous, unit, np.array([weights], dtype=float))[0]
    times = np.array(weights)[unit]
    drawn, hot = np.repeat(scores, times), np.repeat(anomalous, times)
    if hot.all() or not hot.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(auroc(drawn, hot))


@given(windows)
def test_precision_averages_over_the_thresholds_that_the_scores_offer(
    rows: list[tuple[float, bool, int]],
) -> None:
    scores, anomalous = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    expected = sum(
        (anomalous & (scores == level)).sum() * anomalous[scores >= level].mean()
        for level in np.unique(scores)
    )
    assert average_precision(scores, anomalous) == pytest.approx(expected / anomalous.sum())


@given(windows, st.floats(0, 1))
def test_recall_is_that_of_the_lowest_threshold_with_so_few_false_positives(
    rows: list[tuple[float, bool, int]], share: float
) -> None:
    scores, anomalous = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    reachable = [
        (scores[anomalous] >= level).mean()
        for level in (*np.unique(scores), np.inf)
        if (scores[~anomalous] >= level).mean() <= share
    ]
    assert recall_at(scores, anomalous, np.array([share]))[0] == pytest.approx(max(reachable))
