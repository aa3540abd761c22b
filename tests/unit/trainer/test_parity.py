from pathlib import Path
from typing import Any

import numpy as np
import pytest
from meltwatch_trainer.__main__ import main
from meltwatch_trainer.benchmark.parity import Parity

GOLDEN = Path(__file__).parent / "golden" / "fmformer_reference.npz"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["meltwatch-trainer", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def golden(*names: str) -> dict[str, Any]:
    """Take the outputs of these names out of the golden file, with their seeds."""
    with np.load(GOLDEN) as archive:
        return {key: archive[key] for key in archive if key.endswith(names)}


def test_the_golden_outputs_are_reproduced_by_pytorch_and_onnx(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "parity", GOLDEN) == 0
    _, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert [name for name, *_ in rows] == ["classification", "segmentation"]
    assert all(0 < float(number) <= 1e-4 for _, *numbers in rows for number in numbers)


def test_other_outputs_are_not_called_faithful(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arrays = golden("classification")
    arrays["classification"][0, 1] += 2e-4
    np.savez(tmp_path / "moved.npz", **arrays)
    assert run(monkeypatch, "parity", tmp_path / "moved.npz") == 1
    output = capsys.readouterr()
    assert output.out.split()[-3:] == ["classification", "2.0e-04", "2.0e-04"]
    assert "expected every difference within 0.0001" in output.err


@pytest.mark.parametrize("differences", [(np.nan, 0.0), (0.0, np.nan), (0.0, 1.1e-4)])
def test_parity_holds_only_where_both_differences_are_small(
    differences: tuple[float, float],
) -> None:
    assert not Parity("classification", *differences).holds
    assert Parity("classification", 1e-4, 1e-4).holds


def malformed(case: str) -> dict[str, Any]:
    arrays = golden("classification")
    match case:
        case "no output":
            del arrays["classification"]
        case "no seed":
            del arrays["weight_seed_classification"]
        case "a seed below 0":
            arrays["input_seed_classification"] = np.int64(-1)
        case "a seed with a fraction":
            arrays["input_seed_classification"] = np.float64(1.5)
        case "another shape":
            arrays["classification"] = arrays["classification"][:1]
        case "an unknown output":
            arrays["depth"] = np.zeros(3)
        case "a pickle":
            arrays["classification"] = np.array([[Path()]], dtype=object)
    return arrays


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("no output", "expected classification or segmentation, got"),
        ("no seed", "expected weight_seed_classification, a whole number from 0, got none"),
        ("a seed below 0", "expected input_seed_classification, a whole number from 0, got int64"),
        ("a seed with a fraction", "a whole number from 0, got float64 1.5"),
        ("another shape", "expected classification of floats (2, 2), got float32 (1, 2)"),
        ("an unknown output", "expected outputs and their seeds alone, got 'depth'"),
        ("a pickle", "expected an .npz archive"),
    ],
)
def test_a_file_of_another_form_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    case: str,
    told: str,
) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, **malformed(case))
    refused(monkeypatch, capsys, path, told)


@pytest.mark.parametrize("content", [None, b"", b"no archive", "an array"])
def test_what_is_no_archive_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: bytes | str | None,
) -> None:
    path = tmp_path / "other.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        np.save(path, np.zeros(3))
    refused(
        monkeypatch,
        capsys,
        path,
        "expected an .npz archive" if content is not None else "No such file",
    )


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: Path, told: str
) -> None:
    assert run(monkeypatch, "parity", path) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith(f"meltwatch-trainer: {path}: ")
    assert told in line
