"""What a fault shows to the camera and to the meter, and what it hides from either."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_simulator import Fault
from meltwatch_simulator import parameters as p
from meltwatch_simulator.development import Signature, signature_of, size, strength
from meltwatch_simulator.parameters import NS_PER_S

from tests.support.examples import examples
from tests.unit.simulator.plants import HOUR_NS, ORIGIN_NS, calm, furnace, schedule, seconds_from

names = st.text("abc/", min_size=1, max_size=8)
lengths_s = st.floats(30, 180)


def fault_of(length_s: float, name: str = "a", *, veiled: bool = False) -> Fault:
    end_ns = ORIGIN_NS + int(length_s * NS_PER_S)
    return Fault(name, ORIGIN_NS, end_ns, "semi_molten", heavy_mist=False, veiled=veiled)


def signs(signature: Signature) -> list[float]:
    return [signature.level, signature.imbalance, signature.unrest]


@given(shorter_s=lengths_s, longer_s=lengths_s, age_s=st.floats(0, 180))
def test_the_longer_a_fault_the_slower_it_heats_and_grows(
    shorter_s: float, longer_s: float, age_s: float
) -> None:
    quick, slow = (fault_of(s) for s in sorted((shorter_s, longer_s)))
    at = seconds_from(ORIGIN_NS, min(age_s, quick.length_s - 1e-6))
    assert strength(quick, at) >= strength(slow, at)
    assert size(quick, at) >= size(slow, at)


@given(lengths_s)
def test_a_fault_is_fully_grown_at_seven_tenths_of_its_life_and_never_shrinks(
    length_s: float,
) -> None:
    fault = fault_of(length_s)
    grown = size(fault, seconds_from(ORIGIN_NS, *np.linspace(0, length_s, 50)))
    assert 0.25 - 1e-9 <= grown[0] <= 0.45 + 1e-9
    assert np.all(np.diff(grown) >= 0)
    assert size(fault, seconds_from(ORIGIN_NS, 0.5 * length_s)) < 1
    assert size(fault, seconds_from(ORIGIN_NS, 0.71 * length_s)) == 1


@given(length_s=st.floats(30, 45))
def test_a_fault_of_the_demo_glows_within_seven_seconds(length_s: float) -> None:
    assert strength(fault_of(length_s), seconds_from(ORIGIN_NS, 7.0)) == 1


@given(name=names, seed=st.integers(0, 2**40))
def test_each_fault_that_is_not_silent_shows_one_sign_at_least_of_documented_strength(
    name: str, seed: int
) -> None:
    shown = signs(signature_of(fault_of(60, name), seed))
    assert any(shown)
    for value, limits in zip(
        shown, (p.FAULT_LEVEL, p.FAULT_IMBALANCE, p.FAULT_UNREST), strict=True
    ):
        assert value == 0 or limits.low <= value <= limits.high


@given(name=names, seed=st.integers(0, 2**40))
def test_a_veiled_fault_shows_two_signs_at_least_on_the_stronger_side(name: str, seed: int) -> None:
    shown = signs(signature_of(fault_of(60, name, veiled=True), seed))
    assert sum(value > 0 for value in shown) >= 2
    for value, limits in zip(
        shown, (p.FAULT_LEVEL, p.FAULT_IMBALANCE, p.FAULT_UNREST), strict=True
    ):
        assert value == 0 or value >= limits.at(0.5)


def test_most_faults_show_two_signs() -> None:
    counts = [
        sum(value > 0 for value in signs(signature_of(fault_of(60, str(n)), 1))) for n in range(400)
    ]
    shares = [counts.count(n) / len(counts) for n in (1, 2, 3)]
    assert shares == pytest.approx([0.25, 0.6, 0.15], abs=0.07)


def test_the_currents_of_a_silent_fault_are_those_without_a_fault() -> None:
    silent, fault = furnace(schedule(silent=1.0))
    told, _ = furnace(schedule())
    times_ns = np.arange(fault.start_ns - 60 * NS_PER_S, fault.end_ns, NS_PER_S // 2)
    assert np.array_equal(silent.currents(times_ns), calm().currents(times_ns))
    assert not np.array_equal(told.currents(times_ns), calm().currents(times_ns))


def test_a_silent_fault_looks_like_any_other() -> None:
    silent, fault = furnace(schedule(silent=1.0))
    told, _ = furnace(schedule())
    times_ns = seconds_from(fault.start_ns, 5, 20, 50)
    assert np.array_equal(silent.frames(times_ns), told.frames(times_ns))


@pytest.mark.parametrize("length_s", [30.0, 180.0])
def test_a_veil_hides_a_fault_from_first_warmth_to_the_last(
    length_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    veiled, fault = furnace(schedule(length_s, veiled=1.0))
    told, _ = furnace(schedule(length_s))
    times_ns = seconds_from(fault.start_ns, *np.linspace(0, length_s + 3, 40))
    hidden, seen = (look.frames(times_ns).astype(int) for look in (veiled, told))
    monkeypatch.setattr(p, "SPOT_HEAT", p.Range(0, 0, "of 230 greys", "cold"))
    assert np.abs(hidden - veiled.frames(times_ns)).max() <= 1
    assert np.abs(seen - told.frames(times_ns)).max() > 60
    assert veiled.masks(times_ns).any()


@examples(50)
@given(veiled=st.floats(0, 0.5), silent=st.floats(0, 0.5), seed=st.integers(0, 2**40))
def test_no_fault_is_hidden_from_both(veiled: float, silent: float, seed: int) -> None:
    plan = schedule(seed=seed, veiled=veiled, silent=silent, misty=1.0)
    for fault in plan.between("a", ORIGIN_NS, ORIGIN_NS + 2 * HOUR_NS):
        assert not (fault.veiled and (fault.silent or fault.heavy_mist))


def test_shares_of_veiled_and_silent_faults_are_kept() -> None:
    plan = schedule(veiled=0.06, silent=0.25)
    faults = plan.between("a", ORIGIN_NS, ORIGIN_NS + 300 * HOUR_NS)
    assert np.mean([fault.veiled for fault in faults]) == pytest.approx(0.06, abs=0.02)
    assert np.mean([fault.silent for fault in faults]) == pytest.approx(0.25, abs=0.04)


def test_a_fault_hidden_from_both_is_refused() -> None:
    with pytest.raises(ValueError, match="veiled or silent or neither, got both"):
        Fault("a", 0, 1, "semi_molten", heavy_mist=False, veiled=True, silent=True)
