"""A furnace whose picture follows its currents: late, never ahead, and until something breaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_simulator import Scenario, coupled
from meltwatch_simulator.coupled import ANSWERED, BREAKS, COUPLINGS, CoupledFurnace, Coupling
from meltwatch_simulator.parameters import NS_PER_S
from meltwatch_simulator.unseen import UnseenEvent

from tests.support.examples import examples

ORIGIN_NS = 1_750_000_000 * NS_PER_S
START_NS, END_NS = ORIGIN_NS + 60 * NS_PER_S, ORIGIN_NS + 150 * NS_PER_S
TIMES_NS = ORIGIN_NS + np.arange(0, 200, 5, dtype=np.int64) * NS_PER_S
WITHIN = (TIMES_NS >= START_NS) & (TIMES_NS < END_NS)
FURNACE = "coupled/a"


class NoFaults:
    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[()]:
        return ()


class SteppedFurnace(CoupledFurnace):
    """A furnace whose power doubles at one instant, and is steady before and after."""

    stepped_ns = ORIGIN_NS

    def _flowing(self, times_ns):
        level = np.where(times_ns >= self.stepped_ns, 2.0, 1.0) * self._traits.level_a
        return np.repeat(level[:, None], 3, axis=1)


def made(*kinds: str, key: int = 7) -> CoupledFurnace:
    events = [UnseenEvent(kind, START_NS, END_NS, key) for kind in kinds]
    return CoupledFurnace(5, FURNACE, NoFaults(), events)


@pytest.fixture(scope="module")
def whole() -> CoupledFurnace:
    return made()


def test_without_coupling_it_shows_what_a_usual_furnace_shows(monkeypatch) -> None:
    none = dict.fromkeys(COUPLINGS, 0.0) | {"lag_s": 10.0, "programme_s": 100.0}
    monkeypatch.setattr(coupled.Coupling, "of", lambda _: Coupling(**none))
    monkeypatch.setattr(coupled, "HOOD_LEAVES", 1.0)
    usual = Scenario(5, (FURNACE,), ORIGIN_NS, None, NoFaults()).furnace(FURNACE)

    np.testing.assert_array_equal(made().frames(TIMES_NS), usual.frames(TIMES_NS))
    np.testing.assert_array_equal(made().currents(TIMES_NS), usual.currents(TIMES_NS))


def test_the_picture_follows_the_power(whole) -> None:
    times_ns = ORIGIN_NS + np.arange(0, 3600, 10, dtype=np.int64) * NS_PER_S
    usual = Scenario(5, (FURNACE,), ORIGIN_NS, None, NoFaults()).furnace(FURNACE)

    power = whole.power(times_ns)

    def follows(furnace) -> float:
        return float(np.corrcoef(power, furnace.frames(times_ns).mean(axis=(1, 2, 3)))[0, 1])

    assert follows(whole) > 0.5
    assert abs(follows(usual)) < 0.2


@examples(30)
@given(ahead_s=st.floats(0.001, 100), back_s=st.lists(st.floats(0, 300), min_size=1, max_size=5))
def test_no_picture_knows_the_currents_to_come(ahead_s: float, back_s: list[float]) -> None:
    """What flows later than the newest instant that is asked for changes nothing."""
    times_ns = ORIGIN_NS - (np.array(back_s) * NS_PER_S).astype(np.int64)
    steady, stepped = (SteppedFurnace(5, FURNACE, NoFaults()) for _ in range(2))
    steady.stepped_ns = ORIGIN_NS + 10**15
    stepped.stepped_ns = int(times_ns.max()) + round(ahead_s * NS_PER_S)

    np.testing.assert_array_equal(steady.power(times_ns), stepped.power(times_ns))


def test_it_follows_late_and_wholly() -> None:
    furnace = SteppedFurnace(5, FURNACE, NoFaults())
    seconds = np.array([0.0, 4, 8, 16, 32, 64, 68, 72, 300])
    power = furnace.power(ORIGIN_NS + (seconds * NS_PER_S).astype(np.int64))

    assert power[0] == pytest.approx(0.0, abs=1e-9)
    assert (np.diff(power) >= -1e-9).all()
    assert 0.2 < power[3] < 0.95
    np.testing.assert_allclose(power[-3:], 1.0, atol=1e-6)


def test_melt_hall_and_flames_follow() -> None:
    furnace = SteppedFurnace(5, FURNACE, NoFaults())
    usual = Scenario(5, (FURNACE,), ORIGIN_NS, None, NoFaults()).furnace(FURNACE)
    times_ns = ORIGIN_NS + np.arange(100, 160, 5, dtype=np.int64) * NS_PER_S

    bright, plain = furnace._lights(times_ns), usual._lights(times_ns)

    for light in ("hall", "melt", "fuel"):
        np.testing.assert_allclose(
            getattr(bright, light), coupled.LIGHT_LIMITS[1] * getattr(plain, light)
        )


def test_one_instant_alone_shows_what_it_shows_among_others() -> None:
    changed = made(*BREAKS)
    for place in (3, 20, 35):
        one = TIMES_NS[place : place + 1]
        np.testing.assert_array_equal(
            changed.frames(one), changed.frames(TIMES_NS)[place : place + 1]
        )
        np.testing.assert_array_equal(
            changed.currents(one), changed.currents(TIMES_NS)[place : place + 1]
        )


@pytest.mark.parametrize("kind", [*ANSWERED, coupled.LATE_PICTURE])
def test_a_picture_that_does_not_follow_leaves_the_currents_alone(whole, kind: str) -> None:
    differs = (whole.frames(TIMES_NS) != made(kind).frames(TIMES_NS)).any(axis=(1, 2, 3))

    assert differs[WITHIN].mean() > 0.9
    assert not differs[~WITHIN].any()
    np.testing.assert_array_equal(made(kind).currents(TIMES_NS), whole.currents(TIMES_NS))


def test_light_without_power_is_brighter_and_power_without_light_darker(whole) -> None:
    grown = (TIMES_NS > START_NS + 20 * NS_PER_S) & (TIMES_NS < END_NS - NS_PER_S)

    def brightness(furnace: CoupledFurnace) -> float:
        return float(furnace.frames(TIMES_NS[grown]).mean())

    assert brightness(made("light without power")) > brightness(whole)
    assert brightness(made("power without light")) < brightness(whole)


def test_a_late_picture_is_one_that_was(whole) -> None:
    late_s = UnseenEvent(coupled.LATE_PICTURE, START_NS, END_NS, 7).drawn("late", *coupled.LATE_S)

    np.testing.assert_array_equal(
        made(coupled.LATE_PICTURE).frames(TIMES_NS[WITHIN]),
        whole.frames(TIMES_NS[WITHIN] - round(late_s * NS_PER_S)),
    )


def test_a_stuck_meter_repeats_itself_and_the_picture_goes_on(whole) -> None:
    stuck = made(coupled.STUCK_METER)
    shown = stuck.currents(TIMES_NS)

    assert len(np.unique(shown[WITHIN], axis=0)) == 1
    np.testing.assert_array_equal(shown[~WITHIN], whole.currents(TIMES_NS)[~WITHIN])
    np.testing.assert_array_equal(stuck.frames(TIMES_NS), whole.frames(TIMES_NS))


def test_furnaces_follow_each_in_its_own_way() -> None:
    found = [Coupling.of(key) for key in range(20)]

    for name, values in COUPLINGS.items():
        drawn = [getattr(each, name) for each in found]
        assert len(set(drawn)) == len(drawn)
        assert all(values.low <= value <= values.high for value in drawn)
    for each in found:
        assert sum(each.weights) == pytest.approx(1.0)
        assert list(each.weights) == sorted(each.weights, reverse=True)
