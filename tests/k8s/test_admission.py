"""What the API server itself says of an overlay that is not run here."""

import pytest

from tests.k8s.cluster import run

pytestmark = pytest.mark.k8s


def test_the_plant_overlay_is_admitted(namespace: str):
    done = run("apply", "--dry-run=server", "-k", "k8s/overlays/plant")
    assert done.returncode == 0, done.stderr
    assert "would violate" not in done.stderr
    assert "statefulset.apps/triton" in done.stdout
