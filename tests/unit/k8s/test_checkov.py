"""The plant overlay as a second linter sees it, and what we choose otherwise."""

import json
import os
import subprocess

import pytest
import yaml

from tests.support import manifests
from tests.support.source import ROOT

pytestmark = [pytest.mark.long, pytest.mark.programs]
FOLDER = ROOT / "tests/foreign/checkov"
PROGRAM = FOLDER / ".venv/bin/checkov"
CHOICES = {
    "CKV_K8S_11": "A limit of processors would only delay verdicts; memory is limited.",
    "CKV_K8S_15": "Images are of one release, never 'latest': what a node has is what was tried.",
    "CKV_K8S_43": "Digests are known once images are built: `make bundle` writes them.",
}


def minded(tmp_path, overlay: str) -> set[str]:
    """Return the checks that something of an overlay fails."""
    if not PROGRAM.is_file():
        make = "python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt"
        pytest.skip(f"needs checkov: run `{make}` in tests/foreign/checkov (CI does)")
    file = tmp_path / "plant.yaml"
    file.write_text(yaml.safe_dump_all(manifests.rendered(overlay)))
    done = subprocess.run(
        [PROGRAM, "-f", file, "--framework=kubernetes", "--output=json", "--skip-download"],
        capture_output=True, text=True, timeout=300, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "BC_SKIP_MAPPING": "TRUE"},
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["summary"]["passed"] > 500, "it has looked"
    assert told["summary"]["parsing_errors"] == 0
    return {each["check_id"] for each in told["results"]["failed_checks"]}


@pytest.mark.parametrize("overlay", ["plant", "plant with options"])
def test_it_minds_what_we_choose_and_nothing_else(tmp_path, overlay):
    assert minded(tmp_path, overlay) == CHOICES.keys()
