"""Files of weights and of golden outputs come from others: nothing in them runs or fills memory."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from meltwatch_trainer.benchmark.parity_case import read_cases
from meltwatch_trainer.errors import ParityFileError, WeightsError
from meltwatch_trainer.network.weights_file import read_weights


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("/nowhere/ran"),)


def test_nothing_in_a_file_of_weights_runs(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"a": _Runs()}, path)

    with pytest.raises(WeightsError, match="named tensors"):
        read_weights(path)


def test_an_archive_that_unpacks_to_more_than_golden_outputs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("mask.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))

    with pytest.raises(ParityFileError, match="unpacked"):
        read_cases(path)


def test_another_pickle_protocol_is_read_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "protocol.pt"
    torch.save({"a": torch.ones(3)}, path, pickle_protocol=3)

    assert read_weights(path)["a"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("suffix", ["pt", "safetensors", "npz"])
@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1))
def test_a_damaged_file_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, changes: list[tuple[float, int]]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    tensors = {"a": torch.zeros(4, 4), "b": torch.ones(3)}
    if suffix == "pt":
        torch.save(tensors, path)
    elif suffix == "safetensors":
        safetensors.torch.save_file(tensors, path)
    else:
        np.savez_compressed(path, classification=np.zeros(2))
    content = bytearray(path.read_bytes())
    for where, value in changes:
        content[int(where * len(content))] = value
    path.write_bytes(content)

    said = ""
    try:
        (read_cases if suffix == "npz" else read_weights)(path)
    except (WeightsError, ParityFileError) as error:
        said = str(error)

    assert "\n" not in said
