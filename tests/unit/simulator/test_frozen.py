"""What models were trained on does not change unnoticed."""

import hashlib
from typing import Any

import numpy as np
import pytest
from meltwatch_simulator import SIMULATOR_REVISION, Scenario, SlotSchedule
from meltwatch_simulator.parameters import NS_PER_S, Range
from numpy.typing import NDArray

ORIGIN_NS = 1_700_000_000 * NS_PER_S
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "misty": {"misty": 1.0},
    "veiled": {"veiled": 1.0},
    "silent": {"silent": 1.0},
    "beyond": {"beyond": 0.3},
}
REVISION = 3
FROZEN = {
    "plain": ("236870ac0fc80fa9", "32ca3fd208b2fad3", "02e15906300c16d2"),
    "misty": ("fd0bddda50a45693", "32ca3fd208b2fad3", "02e15906300c16d2"),
    "veiled": ("811cecc66bce824b", "7a7389de89a2bb72", "02e15906300c16d2"),
    "silent": ("236870ac0fc80fa9", "e04804f75e509581", "02e15906300c16d2"),
    "beyond": ("e6e97e340625c250", "05a7a2ce34332db3", "d79762b06351e7ad"),
}


def digest(values: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def shown(beyond: float = 0.0, misty: float = 0.0, **shares: float) -> tuple[str, str, str]:
    """Digests of the frames, currents and masks of two hours of a furnace with slow faults."""
    schedule = SlotSchedule(
        3,
        ORIGIN_NS,
        slot_s=600.0,
        misty=misty,
        length_s=Range(30, 180, "s", "quick and slow"),
        **shares,
    )
    furnace = Scenario(3, ("frozen",), ORIGIN_NS, None, schedule, beyond).furnace("frozen")
    times_ns = ORIGIN_NS + np.arange(-100, 7100, 17, dtype=np.int64) * NS_PER_S
    looks = furnace.frames, furnace.currents, furnace.masks
    frames, currents, masks = (digest(look(times_ns)) for look in looks)
    return frames, currents, masks


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_changes_what_furnaces_show_raises_the_revision(kind: str) -> None:
    """All arithmetic is exact, so the digests hold on any processor and release of NumPy."""
    assert SIMULATOR_REVISION == REVISION, "record new digests with the new revision"
    assert shown(**KINDS[kind]) == FROZEN[kind], "raise SIMULATOR_REVISION: models are void"
