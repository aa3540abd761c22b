"""The plant overlay as a linter that we did not write sees it, and what we choose otherwise."""

import json
import subprocess

import pytest
import yaml

from tests.support import manifests
from tests.support.source import ROOT

pytestmark = pytest.mark.programs

PROGRAM = ROOT / "tests/foreign/kube_score/kube-score"
GRADE_OK = 10
CHOICES = [
    # A limit would only delay verdicts; memory is limited.
    "--ignore-container-cpu-limit",
    # Images are of one release, never "latest": what a node has is what was tried.
    "--ignore-test=container-image-pull-policy",
    # A LimitRange of the plant gives both to each container.
    "--ignore-test=container-ephemeral-storage-request-and-limit",
    # One at a time by nature: what they serve outside knows one session.
    "--ignore-test=deployment-replicas",
    "--ignore-test=deployment-strategy",
]


def findings(overlay: str, *choices: str) -> set[tuple[str, str]]:
    """Return what it minds: kind and name of an object, and the check."""
    if not PROGRAM.is_file():
        build = "go build -o kube-score github.com/zegl/kube-score/cmd/kube-score"
        pytest.skip(f"needs kube-score: run `{build}` in tests/foreign/kube_score (CI does)")
    done = subprocess.run(
        [PROGRAM, "score", "--output-format=json", *choices, "-"],
        input=yaml.safe_dump_all(manifests.rendered(overlay)),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return {
        (each["object_name"], check["check"]["id"])
        for each in json.loads(done.stdout)
        for check in each["checks"]
        if not check["skipped"] and check["grade"] < GRADE_OK
    }


@pytest.mark.parametrize("overlay", ["plant", "plant with options", manifests.SLICED])
def test_it_minds_nothing_but_what_we_choose(overlay):
    assert findings(overlay, *CHOICES) == set()


def test_it_minds_what_we_choose():
    minded = {check for _, check in findings("plant with options")}
    assert minded == {
        "container-resources", "container-image-pull-policy", "deployment-replicas",
        "deployment-strategy", "container-ephemeral-storage-request-and-limit",
    }  # fmt: skip
