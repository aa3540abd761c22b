import numpy as np
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator import Scenario, furnace_ids
from meltwatch_trainer.data.dataset import furnace_windows
from meltwatch_trainer.data.operation import operate
from meltwatch_trainer.data.windows import Split, frame_times, labels_of, sample_times
from numpy.typing import NDArray

ORIGIN_NS = 1_790_000_000_000_000_000
SMALL = Split("small", furnaces=2, windows=6)


class EchoEnsemble:
    """Answers with what a window holds, so that a test sees which frames and samples it got."""

    def logits(
        self, clips: NDArray[np.uint8], currents: NDArray[np.float32], state: str
    ) -> NDArray[np.float32]:
        newest = clips[:, -1] if state == "both" else currents[:, -1]
        mean: NDArray[np.float32] = newest.reshape(len(newest), -1).mean(axis=1, dtype=np.float32)
        return mean


def test_operation_sees_the_very_frames_and_samples_of_the_window_rule() -> None:
    scenario = Scenario(5, furnace_ids(1), ORIGIN_NS, 60.0)
    furnace = scenario.furnace(furnace_ids(1)[0])
    run = operate(EchoEnsemble(), furnace, ORIGIN_NS, 20.0, ("both", "current"), PUBLISHED_SPEC)
    ends_ns = ORIGIN_NS + np.rint(run.ends_s * 1e9).astype(np.int64)
    phase_ns = PUBLISHED_SPEC.phase_ns(furnace.furnace_id)
    assert np.all(np.abs((ends_ns - phase_ns + 500) % PUBLISHED_SPEC.hop_ns) <= 1000)
    frames = furnace.frames(ends_ns // 40_000_000 * 40_000_000)
    assert np.allclose(run.logits[:, 0], frames.reshape(len(frames), -1).mean(axis=1), atol=0.5)
    samples = furnace.currents(ends_ns // 500_000_000 * 500_000_000)
    assert np.allclose(run.logits[:, 1], samples.mean(axis=1), rtol=1e-3)


def test_time_runs_from_oldest_to_newest_and_never_past_the_window() -> None:
    ends_ns, lag_ns = np.array([ORIGIN_NS]), np.array([7])
    for times in (
        frame_times(PUBLISHED_SPEC, ends_ns, lag_ns),
        sample_times(PUBLISHED_SPEC, ends_ns, lag_ns),
    ):
        assert np.all(np.diff(times[0]) > 0)
        assert times[0, -1] == ORIGIN_NS - 7
    frames = frame_times(PUBLISHED_SPEC, ends_ns, lag_ns)[0]
    assert frames[-1] - frames[0] == 9 * 720_000_000


def test_growing_and_cooling_spots_have_no_class() -> None:
    strength = np.array([0.0, 0.2, 0.7, 0.7])
    burning = np.array([False, True, True, False])
    assert labels_of(strength, burning).tolist() == [0, -1, 1, -1]


def test_windows_of_a_furnace_are_reproducible_and_differ_between_furnaces() -> None:
    first, again, other = (furnace_windows(1, SMALL, n, PUBLISHED_SPEC) for n in (0, 0, 1))
    assert np.array_equal(first.clips, again.clips)
    assert np.array_equal(first.currents, again.currents)
    assert not np.array_equal(first.clips, other.clips)
    glowing = first.masks.sum(axis=(1, 2)) > 0
    assert np.array_equal(glowing[first.labels == 0], np.zeros((first.labels == 0).sum(), bool))
    assert glowing[first.labels == 1].all()
