from pathlib import Path

import numpy as np
import pytest
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_trainer.data import dataset
from meltwatch_trainer.data.dataset import furnace_windows, simulate, training_windows
from meltwatch_trainer.data.window_cache import WindowArrays, WindowCache
from meltwatch_trainer.data.windows import Split
from meltwatch_trainer.errors import CacheMismatchError, UnfinishedTrainingError

SPLIT = Split("few", furnaces=3, windows=4)


def part(value: int) -> WindowArrays:
    return WindowArrays(
        clips=np.full((2, 10, 64, 64, 3), value, dtype=np.uint8),
        currents=np.full((2, 240, 3), value, dtype=np.float32),
        masks=np.zeros((2, 64, 64), dtype=np.uint8),
        labels=np.full(2, value, dtype=np.int8),
    )


def test_parts_are_written_in_any_order_by_any_number_of_writers(tmp_path: Path) -> None:
    first, second = (WindowCache(tmp_path, {"seed": 1}, 3, 2) for _ in range(2))
    first.write(2, part(2))
    second.write(0, part(0))
    assert first.missing == second.missing == [1]
    with pytest.raises(UnfinishedTrainingError, match="1 furnaces are missing"):
        first.read()
    second.write(1, part(1))
    assert first.read().labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert first.read().clips[:, -1, 5, 5, 1].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("made_from", "parts"), [({"seed": 2}, 3), ({"seed": 1}, 4)], ids=["seed", "size"]
)
def test_a_cache_of_other_windows_is_refused(
    tmp_path: Path, made_from: dict[str, object], parts: int
) -> None:
    WindowCache(tmp_path, {"seed": 1}, 3, 2)
    with pytest.raises(CacheMismatchError, match="delete the folder or name another"):
        WindowCache(tmp_path, made_from, parts, 2)


def test_a_killed_simulation_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(done: int, furnaces: int) -> None:
        assert furnaces == SPLIT.furnaces
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path, 1, SPLIT, 1, die)
    drawn: list[int] = []

    def counted(seed: int, split: Split, number: int, spec: object) -> WindowArrays:
        drawn.append(number)
        return furnace_windows(seed, split, number, PUBLISHED_SPEC)

    monkeypatch.setattr(dataset, "furnace_windows", counted)
    simulate(tmp_path, 1, SPLIT, 1, lambda *_: None)
    assert drawn == [1, 2]
    expected = furnace_windows(1, SPLIT, 1, PUBLISHED_SPEC)
    assert np.array_equal(training_windows(tmp_path, 1, SPLIT).clips[4:8], expected.clips)
