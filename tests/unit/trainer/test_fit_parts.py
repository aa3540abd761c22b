"""The parts of a fit: windows as the product makes them, draws, masks that nobody drew."""

from pathlib import Path

import numpy as np
import pytest
import torch
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_trainer.data.recorded.kept import write_partition
from meltwatch_trainer.data.recorded.labels import LabelledSpan, LabelledTime, labelled
from meltwatch_trainer.data.recorded.runs import LabelledRecording, RecordedWindows
from meltwatch_trainer.data.recorded.store import RecordedFurnace, open_furnace
from meltwatch_trainer.data.windows import UNKNOWN_MASK
from meltwatch_trainer.errors import RepositoryError, TrainerError
from meltwatch_trainer.fit.commands import Costs
from meltwatch_trainer.fit.plan import PRESETS, models_of
from meltwatch_trainer.release.served_weights import served_weights
from meltwatch_trainer.train.augmentation import Batch
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import SHIPPED, study_model
from meltwatch_trainer.train.training import joint_loss

from tests.support.simulated_recording import ORIGIN_NS, SimulatedRecording
from tests.unit.trainer.study_models import small

REPOSITORY = Path("triton_models/repository")
PLANT = SimulatedRecording(("plant/one",), minutes=3.0)
HOP_NS = PUBLISHED_SPEC.hop_ns


@pytest.fixture(scope="module")
def furnace(tmp_path_factory: pytest.TempPathFactory) -> RecordedFurnace:
    root = tmp_path_factory.mktemp("parts")
    (folder,) = write_partition(PLANT.write(root / "kept"), 0, root / "windows")
    return open_furnace(folder)


def recording(furnace: RecordedFurnace, time: LabelledTime) -> LabelledRecording:
    return LabelledRecording(furnace, time, time.of_windows(furnace.ends_ns))


def test_every_window_of_the_span_is_there_with_the_frames_that_were_seen(
    furnace: RecordedFurnace,
) -> None:
    first_ns = PUBLISHED_SPEC.first_end_after("plant/one", ORIGIN_NS - 1)
    # The last windows wait for records that come after the span.
    expected = np.arange(first_ns, PLANT.end_ns - 2 * HOP_NS, HOP_NS)
    np.testing.assert_array_equal(furnace.ends_ns[: len(expected)], expected)
    seen = furnace.observed(np.array([0, 1, 50]))
    simulated = PLANT.furnace("plant/one")
    for number, end_ns in enumerate(seen.ends_ns):
        slots = end_ns - np.arange(9, -1, -1) * PUBLISHED_SPEC.frame_stride_ns - 20_000_000
        np.testing.assert_array_equal(seen.frames[seen.frame_of[number]], simulated.frames(slots))
    # Eight of ten frames are the neighbour's: they are kept once.
    assert len(furnace.frames) < 3 * len(furnace.ends_ns)


def test_labels_have_an_edge_that_belongs_to_no_class(furnace: RecordedFurnace) -> None:
    start_ns, end_ns = ORIGIN_NS + 60 * 10**9, ORIGIN_NS + 100 * 10**9
    one = recording(furnace, LabelledTime((LabelledSpan(start_ns, end_ns),)))
    away_s = np.maximum(start_ns - furnace.ends_ns, furnace.ends_ns - end_ns) / 1e9
    assert set(one.labels[away_s < -1.0]) == {1}
    assert set(one.labels[(away_s > 0.1) & (away_s < 9.9)]) == {-1}
    assert set(one.labels[away_s > 10.1]) == {0}


def test_doubtful_time_is_neither_learned_from_nor_judged(furnace: RecordedFurnace) -> None:
    doubt = LabelledSpan(ORIGIN_NS + 60 * 10**9, ORIGIN_NS + 100 * 10**9)
    one = recording(furnace, LabelledTime(unclear=(doubt,)))
    runs = list(one.runs(every=1))
    assert len(runs) == 2
    drawn = one.drawn(np.random.default_rng(1))
    for ends_ns in (*(run.seen.ends_ns for run in runs), furnace.ends_ns[drawn]):
        assert not ((ends_ns >= doubt.start_ns) & (ends_ns < doubt.end_ns)).any()


def test_windows_are_drawn_more_often_where_something_was(furnace: RecordedFurnace) -> None:
    fault = LabelledSpan(ORIGIN_NS + 60 * 10**9, ORIGIN_NS + 70 * 10**9)
    one = recording(furnace, LabelledTime((fault,)))
    drawn = one.drawn(np.random.default_rng(1))
    assert (one.labels[drawn] == 1).mean() > 3 * (one.labels == 1).mean()
    assert np.array_equal(drawn, one.drawn(np.random.default_rng(1)))
    quiet = recording(furnace, LabelledTime()).drawn(np.random.default_rng(1))
    assert len(quiet) == len(drawn)


def test_a_mask_that_nobody_drew_is_unknown_and_teaches_no_pixel(furnace: RecordedFurnace) -> None:
    fault = LabelledSpan(ORIGIN_NS + 60 * 10**9, ORIGIN_NS + 100 * 10**9)
    one = recording(furnace, LabelledTime((fault,)))
    hot, cold = np.flatnonzero(one.labels == 1)[:1], np.flatnonzero(one.labels == 0)[:1]
    windows = RecordedWindows([(one, np.concatenate([hot, cold]))])
    masks = windows.take("masks", np.arange(2))
    assert (masks[0] == UNKNOWN_MASK).all()
    assert (masks[1] == 0).all()
    plan = small(study_model("a")).plan
    batch = Batch(
        *(torch.from_numpy(windows.take(name, np.arange(2))) for name in ("clips", "currents")),
        torch.from_numpy(masks),
        torch.from_numpy(windows.take("labels", np.arange(2))).float(),
    )
    logit = torch.zeros(2, 1)
    losses = [
        joint_loss(
            (logit, torch.stack([torch.full((64, 64), hot), torch.zeros(64, 64)])), batch, 2, plan
        )
        for hot in (-9.0, 9.0)
    ]
    assert torch.equal(*losses)


def test_served_weights_come_back_out_of_the_repository() -> None:
    model = study_model("b")
    network = build(model)
    network.load_state_dict(served_weights(REPOSITORY, model))
    with pytest.raises(RepositoryError, match="expected a member of the shape"):
        served_weights(REPOSITORY, small(model))


def test_no_label_is_of_a_recording_that_has_masks(furnace: RecordedFurnace) -> None:
    assert labelled([furnace], [], repair=False) == [LabelledTime()]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"seconds": 3, "peak_mib": 1}', '{"seconds": {}}']
)
def test_costs_that_are_none_are_one_line(tmp_path, text: str) -> None:
    (tmp_path / "costs.json").write_text(text)

    with pytest.raises(TrainerError, match=r"costs\.json: expected what an earlier fit cost"):
        Costs(tmp_path / "costs.json")


@pytest.mark.parametrize("name", PRESETS)
def test_members_that_go_on_from_weights_keep_their_sizes(tmp_path: Path, name: str) -> None:
    preset = PRESETS[name]
    served = [study_model(letter).spec for letter in SHIPPED]
    continued = models_of(preset, 1, None, tmp_path)
    assert [model.spec for model in continued] == served
    fresh = models_of(preset, 1, None, None)
    assert ([model.spec for model in fresh] == served) == (name == "served")
    assert fresh[0].plan.windows_seen == preset.epochs > continued[0].plan.windows_seen


@pytest.mark.parametrize(("recordings", "groups"), [(2, 2), (3, 3), (40, 3)])
def test_little_leaves_out_in_few_groups(recordings: int, groups: int) -> None:
    assert PRESETS["small"].left_out(recordings) == groups
    assert PRESETS["served"].left_out(recordings) is None, "each alone"
