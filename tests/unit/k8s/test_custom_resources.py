"""Resources of other operators, read by the types that those operators themselves use."""

import copy
import subprocess

import pytest
import yaml

from tests.support import manifests
from tests.support.source import ROOT

pytestmark = pytest.mark.programs

PROGRAM = ROOT / "tests/foreign/custom_resources/custom-resources"
KINDS = {
    "plant with monitoring": {"PodMonitor", "PrometheusRule"},
    "plant with cert-manager": {"Certificate", "Issuer"},
    "plant with scaling": {"ScaledObject"},
}


def said(*objects: manifests.Object) -> tuple[int, list[str]]:
    """Return the exit code and what is said of each resource that is not of Kubernetes itself."""
    if not PROGRAM.is_file():
        build = "go build -o custom-resources ."
        pytest.skip(f"needs Go: run `{build}` in tests/foreign/custom_resources (CI does)")
    done = subprocess.run(
        [PROGRAM], input=yaml.safe_dump_all(objects),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("overlay", KINDS)
def test_each_is_what_its_operator_knows(overlay):
    code, lines = said(*manifests.rendered(overlay))
    assert (code, set(lines)) == (0, {f"known {kind}" for kind in KINDS[overlay]})


@pytest.mark.parametrize("overlay", KINDS)
def test_a_misspelt_field_would_be_noticed(overlay):
    found = [each for each in manifests.rendered(overlay) if each["kind"] in KINDS[overlay]]
    for each in copy.deepcopy(found):
        each["spec"]["misspelt"] = 1
        code, (line,) = said(each)
        assert code == 1
        assert line.startswith(f"{each['kind']}: ")
        assert '"spec.misspelt"' in line or '"misspelt"' in line


def test_numbers_of_replicas_that_cannot_be_would_be_noticed():
    (scaled,) = manifests.of_kind("plant with scaling", "ScaledObject").values()
    turned = copy.deepcopy(scaled)
    turned["spec"]["maxReplicaCount"] = turned["spec"]["minReplicaCount"] - 1
    code, (line,) = said(turned)
    assert code == 1
    assert "MaxReplicaCount" in line
