import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_local_cluster.domain.counts import MAX_LATENCIES, Latencies, RestartingCounters


def test_no_latency_has_no_percentiles():
    assert Latencies().percentiles() == {"p50": None, "p95": None, "p99": None}


@given(st.lists(st.integers(0, 10**11), min_size=1, max_size=50))
def test_percentiles_are_those_of_numpy_in_seconds(latencies_ns):
    latencies = Latencies()
    for latency_ns in latencies_ns:
        latencies.add_ns(latency_ns)

    expected = np.percentile(np.array(latencies_ns) / 1e9, (50, 95, 99))
    np.testing.assert_allclose(list(latencies.percentiles().values()), expected, atol=0.0006)


def test_only_the_newest_latencies_are_kept():
    latencies = Latencies()
    for _ in range(MAX_LATENCIES):
        latencies.add_ns(5_000_000_000)
    for _ in range(MAX_LATENCIES):
        latencies.add_ns(1_000_000_000)

    assert set(latencies.percentiles().values()) == {1.0}


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), max_size=5))
def test_totals_survive_restarts(lives):
    """Each life counts up from zero; a process that did not count on after a restart was as good
    as not restarted, so every life here begins with a count that is read before it grows."""
    counters = RestartingCounters()
    for life in lives:
        for value in np.cumsum([0, *life]):
            counters.read({"skipped": float(value)})

    assert counters.total("skipped") == sum(map(sum, lives))
    assert counters.total("unheard of") == 0
