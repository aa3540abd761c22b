"""Notebooks run from top to bottom; that of an alarm does so in tests/integration/console."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.input_records import live
from tests.unit.backtester.pipeline.past import Past
from tests.unit.client.backtest_folder import write_backtest
from tests.unit.core.scoring.fakes import ENCODER

NOTEBOOKS = sorted((Path(__file__).parents[3] / "examples" / "notebooks").glob("*.ipynb"))


def test_notebooks_are_kept_without_outputs():
    assert [each.stem for each in NOTEBOOKS] == ["a_night", "a_threshold", "an_alarm"]
    for each in NOTEBOOKS:
        cells = json.loads(each.read_text())["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code), each


def outputs_of(notebook: Path, folder: Path, **environ: str) -> str:
    """Run a notebook as a person does; return all that its cells have said."""
    made = folder / notebook.name
    made.write_text(notebook.read_text())
    program = Path(sys.executable).with_name("jupyter-execute")
    told = os.environ | environ | {"HOME": str(folder), "IPYTHONDIR": str(folder)}
    ran = subprocess.run(
        [program, "--inplace", "--timeout=300", "--kernel_name=python3", made],
        env=told, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3_000:]
    return "".join(
        json.dumps(output) for cell in json.loads(made.read_text())["cells"]
        for output in cell.get("outputs", [])
    )  # fmt: skip


@pytest.mark.programs
def test_a_night(console, tmp_path):
    said = outputs_of(NOTEBOOKS[0], tmp_path, CONSOLE=console[1])

    assert "1 of 1 furnaces were not judged" in said
    assert "error" not in said


@pytest.mark.programs
def test_a_threshold(tmp_path):
    folder = tmp_path / "backtest"
    past = asyncio.run(Past.of(live(("hall/FMF-01", "hall/FMF-02"), 120, encoder=ENCODER)))
    asyncio.run(write_backtest(folder, past))

    said = outputs_of(NOTEBOOKS[1], tmp_path, BACKTEST=str(folder))

    assert "alarm from" in said
    assert "image/png" in said
