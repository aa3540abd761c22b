"""What is left of the laptop overlay when it is deleted: nothing."""

import pytest

from tests.k8s.cluster import NAMESPACE, kubectl, run, say
from tests.k8s.conftest import LAPTOP, OVERLAYS, Laptop

pytestmark = pytest.mark.k8s


def test_everything_goes_when_it_is_deleted(laptop: Laptop):
    say(f"kubectl delete -k {OVERLAYS / LAPTOP}")
    kubectl("delete", "-k", str(OVERLAYS / LAPTOP), timeout_s=240)
    assert run("get", "namespace", NAMESPACE).returncode != 0
    assert run("get", "priorityclass", "meltwatch-alarm-path").returncode != 0
