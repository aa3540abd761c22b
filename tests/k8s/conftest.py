"""The laptop overlay on a real cluster: loaded, applied, and taken away again."""

import gc
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.k8s.cluster import (
    NAMESPACE,
    diagnosis,
    forwarded,
    job,
    kubectl,
    looks_like_a_test,
    run,
    say,
)
from tests.support.manifests import containers

if TYPE_CHECKING:
    from tests.chaos.tape import Reader

LAPTOP = "k8s/overlays/laptop"
SECURED = "k8s/overlays/laptop-secured"
PREFIX = "meltwatch"
# How clusters that are known by their names are given images.
_LOADERS = {
    "kind-": "kind load docker-image --name {name}",
    "k3d-": "k3d image import --cluster {name}",
    "minikube": "minikube image load",
}


@dataclass(frozen=True)
class Laptop:
    """A laptop overlay as it was applied.

    Attributes
    ----------
    applied_ns
        Wall time just before.
    """

    applied_ns: int

    @property
    def seconds(self) -> float:
        """How long it has been applied."""
        return (time.time_ns() - self.applied_ns) / 1e9


@pytest.fixture(scope="session")
def context() -> str:
    """The cluster to be used: one that looks like a test, or that was told by name."""
    found = run("config", "current-context")
    if found.returncode:
        pytest.exit(f"expected a cluster in KUBECONFIG: {found.stderr.strip()}", returncode=2)
    name = found.stdout.strip()
    if not looks_like_a_test(name) and name != os.environ.get("CONTEXT"):
        pytest.exit(
            f"expected a test cluster (kind-…, k3d-…, minikube, …), got the context {name}; "
            f"to use it all the same: make test-k8s CONTEXT={name}",
            returncode=2,
        )
    return name


@pytest.fixture(scope="session")
def namespace(context: str) -> Iterator[str]:
    """Our namespace, which must not be somebody's; gone at the end, whatever happens."""
    if run("get", "namespace", NAMESPACE).returncode == 0:
        pytest.exit(
            f"expected no namespace {NAMESPACE} in {context}; if it is of no use any more: "
            f"kubectl delete -k {LAPTOP}",
            returncode=2,
        )
    kubectl("apply", "-f", "k8s/base/namespace.yaml")
    try:
        yield NAMESPACE
    finally:
        run("delete", "-k", SECURED, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def images(context: str) -> list[str]:
    """The overlay's images, where the cluster finds them."""
    names = sorted({container["image"] for _, container in containers("laptop")})
    loader = os.environ.get("LOAD") or next(
        (
            command.format(name=context.removeprefix(prefix))
            for prefix, command in _LOADERS.items()
            if context.startswith(prefix)
        ),
        "",
    )
    if not loader:
        say("LOAD is not set: the cluster must have the images already")
        return names
    for number, name in enumerate(names, start=1):
        say(f"loading image {number} of {len(names)}: {name}")
        done = subprocess.run(
            [*shlex.split(loader), name], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{loader} {name}: {done.stderr.strip()}"
    return names


@pytest.fixture(scope="session")
def laptop(request: pytest.FixtureRequest, images: list[str], namespace: str) -> Iterator[Laptop]:
    """The laptop overlay, applied."""
    yield apply(LAPTOP)
    if request.session.testsfailed:
        print(diagnosis())


def apply(overlay: str) -> Laptop:
    """Apply an overlay."""
    say(f"kubectl apply -k {overlay}")
    applied_ns = time.time_ns()
    kubectl("apply", "-k", overlay)
    return Laptop(applied_ns)


@pytest.fixture(scope="module")
def kafka(laptop: Laptop) -> Iterator[str]:
    """The cluster's broker, by the address that it tells clients outside."""
    with broker() as address:
        yield address


@pytest.fixture(scope="module")
def reader(kafka: str) -> "Iterator[Reader]":
    """All that comes to stand in the broker, read from outside the cluster."""
    with reading(kafka) as opened:
        yield opened


@contextmanager
def broker() -> Iterator[str]:
    """Make the broker reachable once it has its topics."""
    kubectl("wait", "--for=condition=complete", job("topics"), "--timeout=300s", timeout_s=310)
    with forwarded("svc/kafka", 29092, local=29092) as address:
        yield address
        # Here, where it is forgiven: kafka-python forgets the sockets that a broker refused.
        gc.collect()


@contextmanager
def reading(kafka: str) -> "Iterator[Reader]":
    """Read all that comes to stand in the broker."""
    # Imported late: kafka-python's import warns before the root conftest has filtered it.
    from tests.chaos.tape import Reader  # noqa: PLC0415

    with Reader(kafka, PREFIX) as opened:
        yield opened
