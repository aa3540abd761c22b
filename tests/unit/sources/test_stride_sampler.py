"""The last frame at or before each instant, each once, and nothing in a gap."""

from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, Grid
from meltwatch_sources.domain.stride_sampler import StrideSampler

STRIDE_NS = 720 * NS_PER_MS
GRID = Grid(123 * NS_PER_MS, STRIDE_NS)
BEGIN_NS = 1_800_000_000 * NS_PER_S


def sampled(times_ns: list[int]) -> list[int]:
    sampler: StrideSampler[int] = StrideSampler(GRID)
    taken = [sampler.take(time_ns, time_ns) for time_ns in times_ns]
    if times_ns:
        taken.append(sampler.due(times_ns[-1] + STRIDE_NS))
    assert all(chosen[0] == chosen[1] for chosen in taken if chosen)
    return [chosen[0] for chosen in taken if chosen]


def oracle(times_ns: list[int]) -> list[int]:
    last: dict[int, int] = {}
    for time_ns in times_ns:
        last[GRID.first_after(time_ns - 1)] = time_ns
    return list(last.values())


@given(st.lists(st.integers(1, 2 * NS_PER_S), max_size=80))
def test_the_last_frame_before_each_instant_is_used_and_no_other(steps_ns: list[int]) -> None:
    times_ns, time_ns = [], BEGIN_NS
    for step_ns in steps_ns:
        time_ns += step_ns
        times_ns.append(time_ns)

    assert sampled(times_ns) == oracle(times_ns)


def test_a_frame_exactly_at_an_instant_is_its_own() -> None:
    instant_ns = GRID.first_after(BEGIN_NS)

    assert sampled([instant_ns - 1, instant_ns, instant_ns + 1]) == [instant_ns, instant_ns + 1]


def test_what_comes_after_its_instant_was_served_is_not_used() -> None:
    sampler: StrideSampler[str] = StrideSampler(GRID)
    instant_ns = GRID.first_after(BEGIN_NS)
    sampler.take(instant_ns - 50, "first")

    assert sampler.due(instant_ns) == (instant_ns - 50, "first")
    assert sampler.due(instant_ns + STRIDE_NS) is None
    assert sampler.take(instant_ns - 10, "late") is None
    assert sampler.due(instant_ns + STRIDE_NS) is None
