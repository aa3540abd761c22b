from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_producers.feeds import FRAME_PERIOD_NS, CameraFeed, frame_times_ns
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids

from tests.support.builders import FURNACE, NOON_NS, identity

S = 1_000_000_000
STRIDE_NS = PUBLISHED_SPEC.frame_stride_ns


@dataclass
class Clockwork:
    """A camera whose picture is the number of its frame."""

    asked: list[int] = field(default_factory=list)

    def frames(self, event_times_ns: Any) -> Any:
        self.asked.append(len(event_times_ns))
        numbers = (event_times_ns // FRAME_PERIOD_NS % 256).astype(np.uint8)
        return np.broadcast_to(numbers[:, None, None, None], (len(numbers), 64, 64, 3))


def feed(camera: Any = None) -> CameraFeed:
    return CameraFeed(identity(), camera or Clockwork(), default_encoder(), PUBLISHED_SPEC)


@given(st.integers(0, 2**61), st.integers(1, 100))
def test_a_frame_is_the_last_of_the_cameras_own_grid_before_its_instant(
    start_ns: int, count: int
) -> None:
    instants = range(start_ns, start_ns + count * STRIDE_NS, STRIDE_NS)
    behind = np.array(instants) - frame_times_ns(instants)

    assert (behind >= 0).all()
    assert (behind < FRAME_PERIOD_NS).all()
    assert (frame_times_ns(instants) % FRAME_PERIOD_NS == 0).all()


def test_no_instants_have_no_frames() -> None:
    assert frame_times_ns(range(0)).size == 0
    assert feed().due(NOON_NS, NOON_NS) == ()


def test_one_frame_is_sent_per_stride_instant_each_in_its_own_chunk() -> None:
    source = feed()
    chunks = source.due(NOON_NS, NOON_NS + 100 * S)

    assert len(chunks) == pytest.approx(100 / 0.72, abs=1)
    assert all(len(chunk.data) == 1 for chunk in chunks)
    for chunk in chunks:
        slot_ns = source.next_due_ns(chunk.last_event_ns - 1)
        assert slot_ns - FRAME_PERIOD_NS < chunk.last_event_ns <= slot_ns


def test_every_slot_of_a_window_finds_its_frame() -> None:
    times = {chunk.last_event_ns for chunk in feed().due(NOON_NS - 20 * S, NOON_NS + 5 * S)}
    end_ns = PUBLISHED_SPEC.first_end_after(FURNACE, NOON_NS)

    for slot in range(PUBLISHED_SPEC.clip_frames):
        slot_ns = end_ns - slot * STRIDE_NS
        assert any(slot_ns - STRIDE_NS < time_ns <= slot_ns for time_ns in times)


def test_numbers_go_on_by_one_a_frame_from_call_to_call() -> None:
    source = feed()
    chunks = [*source.due(NOON_NS, NOON_NS + 5 * S), *source.due(NOON_NS + 5 * S, NOON_NS + 9 * S)]

    assert [chunk.identity.seq for chunk in chunks] == list(range(len(chunks)))


def test_the_camera_is_asked_once_for_a_whole_span() -> None:
    camera = Clockwork()
    feed(camera).due(NOON_NS, NOON_NS + 10 * S)

    assert camera.asked in ([13], [14])


def test_the_embeddings_are_those_of_the_frames() -> None:
    chunks = feed().due(NOON_NS, NOON_NS + 10 * S)
    encoder = default_encoder()

    for chunk in chunks:
        picture = encoder.decode(chunk.data)
        assert (picture == chunk.last_event_ns // FRAME_PERIOD_NS % 256).all()
        assert chunk.encoder_id == encoder.encoder_id


def test_a_simulated_furnace_is_a_camera() -> None:
    scenario = Scenario(1, furnace_ids(1), NOON_NS, None)
    chunks = feed(scenario.furnace(furnace_ids(1)[0])).due(NOON_NS, NOON_NS + 3 * S)

    assert all(chunk.data.shape == (1, 64, 192) for chunk in chunks)
