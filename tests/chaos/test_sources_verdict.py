"""What the campaign ``sources`` asks of records can fail: each kind of loss is named."""

import numpy as np

from tests.chaos.sources import holes, unsent
from tests.chaos.tape import Chunk, Tape

S = 1_000_000_000


def chunk(seq: int, boot: str, at_s: float, modality: str = "current") -> Chunk:
    return Chunk(
        modality=modality, partition=0, offset=seq, furnace="f", source="s",
        times=(int(at_s * S), int((at_s + 0.5) * S)), values=np.zeros((2, 3)), ingest=0,
        raw=(b"", b""), stamp=0, seq=seq, boot=boot,
    )  # fmt: skip


def tape(*chunks: Chunk) -> Tape:
    found = Tape()
    for each in chunks:
        found.chunks.setdefault((0, each.modality), []).append(each)
    return found


WHOLE = [
    chunk(seq, boot, begin + seq / 2, modality)
    for modality in ("video", "current")
    for boot, begin in (("a", 0), ("b", 60))
    for seq in (0, 2, 4)
]


def test_what_is_whole_is_no_loss() -> None:
    assert [*holes(tape(*WHOLE)), *unsent(tape(*WHOLE), 5 * S)] == []
    assert list(holes(tape(*WHOLE, WHOLE[0]))) == [], "sent once more"


def test_a_number_that_never_came_and_a_start_without_records_are_lost() -> None:
    assert list(holes(tape(*WHOLE[:1], *WHOLE[2:]))) == ["video of a: 2 of 6 never came"]
    assert list(holes(tape(*WHOLE[3:]))) == ["video: expected records of two starts, got 1"]


def test_what_a_killed_process_had_seen_for_long_is_lost_with_it() -> None:
    assert len(list(unsent(tape(*WHOLE), 30 * S))) == 2
