import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from meltwatch_trainer.adapters.window_cache import WindowArrays, WindowCache
from meltwatch_trainer.augmentation import Batch, augmented_batch
from meltwatch_trainer.domain.members import MEMBER_B
from meltwatch_trainer.domain.training_plan import TrainingPlan
from meltwatch_trainer.errors import CacheMismatchError
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.training import joint_loss, train_member

TINY = dataclasses.replace(MEMBER_B, width=12, depth=1, heads=2, decoder_widths=(4, 4, 4))
PLAN = TrainingPlan(epochs=2, batch=4, warm_up=2)


def some_windows(count: int = 12) -> WindowArrays:
    """Windows whose anomaly is a bright square: easy, and different from window to window."""
    rng = np.random.default_rng(8)
    labels = (np.arange(count) % 2).astype(np.int8)
    clips = rng.integers(20, 80, (count, 10, 64, 64, 3), dtype=np.uint8)
    masks = np.zeros((count, 64, 64), dtype=np.uint8)
    masks[labels == 1, 24:40, 24:40] = 1
    clips[labels == 1, :, 24:40, 24:40, 0] = 240
    currents = rng.normal(6500, 50, (count, 240, 3)).astype(np.float32)
    return WindowArrays(clips, currents, masks, labels, np.zeros(count, dtype=np.uint8))


def test_a_member_learns_an_easy_anomaly(tmp_path: Path) -> None:
    losses: list[float] = []
    plan = dataclasses.replace(PLAN, epochs=60, rate=5e-3)
    train_member(TINY, some_windows(), plan, tmp_path / "member.pt", lambda *r: losses.append(r[2]))
    assert losses[-1] < 0.3 * losses[0]


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    windows = some_windows()
    plan = dataclasses.replace(PLAN, epochs=20)
    whole = train_member(TINY, windows, plan, tmp_path / "whole.pt", lambda *_: None)

    def die(done: int, steps: int, loss: float) -> None:
        raise KeyboardInterrupt(done, steps, loss)

    with pytest.raises(KeyboardInterrupt):
        train_member(TINY, windows, plan, tmp_path / "killed.pt", die)
    resumed = train_member(TINY, windows, plan, tmp_path / "killed.pt", lambda *_: None)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_checkpoint_of_another_plan_is_refused(tmp_path: Path) -> None:
    train_member(TINY, some_windows(), PLAN, tmp_path / "member.pt", lambda *_: None)
    other = dataclasses.replace(PLAN, rate=1e-4)
    with pytest.raises(CacheMismatchError, match=r"delete it or name another folder"):
        train_member(TINY, some_windows(), other, tmp_path / "member.pt", lambda *_: None)


def test_unclear_windows_teach_pixels_but_no_class() -> None:
    member = Member(TINY).eval()
    windows = some_windows(4)
    batch = augmented_batch(windows, np.arange(4), np.random.default_rng(0))
    both = torch.ones(4, 2)
    plain = Batch(batch.clip, batch.currents, both, batch.mask, batch.label)
    label = plain.label.clone()
    label[1] = torch.nan
    losses = [
        joint_loss(member, dataclasses.replace(plain, label=changed))
        for changed in (label, plain.label)
    ]
    assert torch.isfinite(losses[0])
    assert not torch.equal(losses[0], losses[1])


def test_augmentation_never_takes_both_modalities_and_keeps_pictures_whole() -> None:
    windows = some_windows(12)
    rng = np.random.default_rng(4)
    lost = np.zeros(2)
    for _ in range(20):
        batch = augmented_batch(windows, np.arange(12), rng)
        assert (batch.available.sum(dim=1) >= 1).all()
        lost += (1 - batch.available).sum(dim=0).numpy()
        assert batch.clip.min() >= 0
        assert batch.clip.max() <= 255
        red = batch.clip[:, -1, :, :, 0]
        assert torch.equal(red[batch.mask == 1].gt(150).all(), torch.tensor(True))
    assert np.all(np.abs(lost / 240 - 0.2) < 0.1)


def test_the_cache_is_filled_in_parts_and_refuses_other_settings(tmp_path: Path) -> None:
    windows = some_windows(6)
    cache = WindowCache(tmp_path, {"seed": 1}, 12)
    cache.write(0, 0, windows)
    again = WindowCache(tmp_path, {"seed": 1}, 12)
    assert again.parts_done == 1
    again.write(1, 6, windows)
    assert np.array_equal(again.read().clips[6:], windows.clips)
    with pytest.raises(CacheMismatchError, match="'seed': 2"):
        WindowCache(tmp_path, {"seed": 2}, 12)
