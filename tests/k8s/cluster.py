"""A cluster by way of kubectl; in whatever cluster, the namespace ``meltwatch`` is ours."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from tests.support.manifests import KUBECTL, ROOT, version

NAMESPACE: Final = "meltwatch"
_LOOKS_LIKE_A_TEST: Final = re.compile(
    r"(kind|k3d|minikube|microk8s|docker-desktop|rancher-desktop|colima|local|test)\b"
)
_POLL_S: Final = 2.0
T = TypeVar("T")


def say(text: str) -> None:
    """Tell whoever waits how far it has got."""
    print(f"  {text}", flush=True)


def looks_like_a_test(context: str) -> bool:
    """Tell whether a cluster may be used for tests without being told."""
    return _LOOKS_LIKE_A_TEST.match(context) is not None


def wait_for(what: str, probe: Callable[[], T | None], timeout_s: float) -> T:
    """Probe until there is something; say what is waited for every ten seconds."""
    began = told = time.monotonic()
    while (found := probe()) is None:
        now = time.monotonic()
        assert now - began < timeout_s, f"{what}: not within {timeout_s:.0f} s"
        if now - told > 10:
            say(f"waiting for {what}: {now - began:.0f} s")
            told = now
        time.sleep(_POLL_S)
    return found


def kubectl(*arguments: str, timeout_s: float = 120) -> str:
    """Run kubectl in our namespace and return what it prints."""
    done = run(*arguments, timeout_s=timeout_s)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout


def run(*arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """Run kubectl in our namespace, whether it succeeds or not."""
    return subprocess.run(
        [KUBECTL, "--namespace", NAMESPACE, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def job(name: str) -> str:
    """Return how kubectl names the Job of this release."""
    return f"job/{name}-{version().replace('.', '-')}"


def pods() -> dict[str, dict[str, Any]]:
    """Return our pods by name."""
    listed = json.loads(kubectl("get", "pods", "--output", "json"))["items"]
    return {pod["metadata"]["name"]: pod for pod in listed}


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether a pod is ready, or has done its work."""
    conditions = {each["type"]: each for each in pod["status"].get("conditions", [])}
    ready = conditions.get("Ready", {})
    return ready.get("status") == "True" or ready.get("reason") == "PodCompleted"


def replaced(name: str, uid: str) -> float | None:
    """Return the present moment if another pod of that name is ready."""
    pod = pods().get(name)
    if pod is None or pod["metadata"]["uid"] == uid or not is_ready(pod):
        return None
    return time.monotonic()


@contextmanager
def forwarded(
    target: str, port: int, local: int | None = None, namespace: str = NAMESPACE
) -> Iterator[str]:
    """Make a port of a pod or Service reachable from here.

    Parameters
    ----------
    target
        Such as ``svc/kafka``.
    port
        Of the Service or pod.
    local
        Port on this machine; a free one by default.
    namespace
        Of the target.
    """
    ports = f"{local or ''}:{port}"
    command = [KUBECTL, "--namespace", namespace, "port-forward", target, ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            found = re.match(r"Forwarding from (127\.0\.0\.1:\d+)", told)
            assert found, f"port-forward {target}: expected a local address, got {told!r}"
            yield found[1]
        finally:
            process.terminate()


def diagnosis() -> str:
    """Return what a person would look at first: pods, last events, last words."""
    parts = [run("get", "pods", "--output", "wide").stdout]
    events = run("get", "events", "--sort-by", ".lastTimestamp").stdout.splitlines()
    parts += ["\n".join(events[-15:])]
    for name, pod in pods().items():
        if not is_ready(pod):
            logs = run("logs", name, "--all-containers", "--tail", "8", "--ignore-errors")
            parts.append(f"--- {name}\n{logs.stdout}{logs.stderr}")
    return "\n".join(parts)
