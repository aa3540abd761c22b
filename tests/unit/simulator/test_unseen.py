"""Events that teach nobody: each changes what it says, and nothing else changes."""

import numpy as np
import pytest
from meltwatch_simulator import Scenario
from meltwatch_simulator.parameters import NS_PER_S
from meltwatch_simulator.unseen import KINDS, MEASURED, PICTURED, UnseenEvent, UnseenFurnace

ORIGIN_NS = 1_750_000_000 * NS_PER_S
START_NS, END_NS = ORIGIN_NS + 60 * NS_PER_S, ORIGIN_NS + 150 * NS_PER_S
TIMES_NS = ORIGIN_NS + np.arange(0, 200, 5, dtype=np.int64) * NS_PER_S
WITHIN = (TIMES_NS > START_NS) & (TIMES_NS < END_NS)


class NoFaults:
    def between(self, furnace_id: str, start_ns: int, end_ns: int) -> tuple[()]:
        return ()


@pytest.fixture(scope="module")
def furnace():
    return Scenario(5, ("unseen/a",), ORIGIN_NS, None, NoFaults()).furnace("unseen/a")


def happening(furnace, kind: str, key: int = 7) -> UnseenFurnace:
    return UnseenFurnace(furnace, [UnseenEvent(kind, START_NS, END_NS, key)])


@pytest.mark.parametrize("kind", PICTURED)
def test_a_picture_changes_while_it_lasts_and_no_ampere(furnace, kind: str) -> None:
    plain, changed = furnace.frames(TIMES_NS), happening(furnace, kind).frames(TIMES_NS)
    differs = (plain != changed).any(axis=(1, 2, 3))

    assert differs[WITHIN].mean() > 0.9
    assert not differs[~WITHIN].any()
    np.testing.assert_array_equal(
        happening(furnace, kind).currents(TIMES_NS), furnace.currents(TIMES_NS)
    )


@pytest.mark.parametrize("kind", MEASURED)
def test_currents_change_while_it_lasts_and_no_grey(furnace, kind: str) -> None:
    plain, changed = furnace.currents(TIMES_NS), happening(furnace, kind).currents(TIMES_NS)
    differs = (plain != changed).any(axis=1)

    assert differs[WITHIN].mean() > 0.8
    assert not differs[~WITHIN].any()
    np.testing.assert_array_equal(
        happening(furnace, kind).frames(TIMES_NS), furnace.frames(TIMES_NS)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_one_instant_alone_shows_what_it_shows_among_others(furnace, kind: str) -> None:
    changed = happening(furnace, kind)
    one = TIMES_NS[20:21]

    np.testing.assert_array_equal(changed.frames(one), changed.frames(TIMES_NS)[20:21])
    np.testing.assert_array_equal(changed.currents(one), changed.currents(TIMES_NS)[20:21])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"bump", "swing"}])
def test_the_key_draws_place_size_and_strength(furnace, kind: str) -> None:
    shown = [happening(furnace, kind, key) for key in range(5)]
    frames = {each.frames(TIMES_NS).tobytes() for each in shown}
    currents = {each.currents(TIMES_NS).tobytes() for each in shown}

    assert max(len(frames), len(currents)) > 1


def test_a_broken_electrode_is_one_phase_a_fifth_lower(furnace) -> None:
    plain, changed = (
        furnace.currents(TIMES_NS),
        happening(furnace, "broken electrode").currents(TIMES_NS),
    )
    share = (changed / plain)[
        (TIMES_NS > START_NS + 25 * NS_PER_S) & (TIMES_NS < END_NS - NS_PER_S)
    ]

    assert sorted(share.mean(axis=0).round(3)) == [0.8, 1.0, 1.0]


def test_an_event_comes_up_over_20_s_and_goes_in_one() -> None:
    event = UnseenEvent("leak", START_NS, END_NS, 7)
    seconds = np.array([0.0, 10.0, 20.0, 60.0, 89.0, 89.5, 90.0])

    strength = event.strength((START_NS + seconds * NS_PER_S).astype(np.int64))

    np.testing.assert_allclose(strength, [0, 0.5, 1, 1, 1, 0.5, 0], atol=1e-9)
