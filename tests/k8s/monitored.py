"""Prometheus as its operator makes it, which reads what the component ``monitoring`` says.

Both are built from their Go modules, for Debian's Prometheus looks for no pods. The operator runs
on this machine. Prometheus runs in a pod of an image that is there, from the node's disk.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports

from tests.k8s.beside import BESIDE, apply, ask, on_the_node, put
from tests.k8s.cluster import NAMESPACE, forwarded, say, wait_for
from tests.support.manifests import ROOT
from tests.support.prometheus import Prometheus

_FOREIGN: Final = ROOT / "tests/foreign/prometheus"
_OPERATOR, _RELOADER = _FOREIGN / "operator", _FOREIGN / "prometheus-config-reloader"
_PROMETHEUS: Final = _FOREIGN / "prometheus"
_OF_OPERATOR: Final = "github.com/prometheus-operator/prometheus-operator"
_OF_PROMETHEUS: Final = "github.com/prometheus/prometheus"
_MONITORING: Final = "monitoring.coreos.com"
OURS: Final = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
"""The namespace whose monitors and rules are read."""


def missing() -> str:
    """Return what the machine lacks; nothing where all is there."""
    lacking = [
        str(each.relative_to(ROOT))
        for each in (_OPERATOR, _RELOADER, _PROMETHEUS)
        if not each.is_file()
    ]
    return f"needs {', '.join(lacking)}: .ci/run has the `go build` (CI does)" if lacking else ""


@contextmanager
def operated(image: str, log: Path) -> Iterator[None]:
    """Run the operator and a Prometheus of it; all of it is gone at the end.

    Parameters
    ----------
    image
        One that Prometheus runs in, which the cluster finds.
    log
        A file for what the operator says.
    """
    kinds = _kinds()
    ask("apply", "--server-side", "--filename", kinds)
    try:
        ask("wait", "--for=condition=Established", "--timeout=60s", "--filename", kinds)
        with _operator(image, log):
            apply(*_roles(), _prometheus(image))
            yield
    finally:
        names = (f"clusterrolebinding/{BESIDE}", f"clusterrole/{BESIDE}")
        ask("delete", "--ignore-not-found", *names)
        ask("delete", "--ignore-not-found", "--wait=false", "--filename", kinds)


def _module(field: str, name: str) -> str:
    """Return what Go knows of a module that the programs are built from."""
    command = ["go", "list", "-m", "-f", f"{{{{.{field}}}}}", name]
    done = subprocess.run(command, cwd=_FOREIGN, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _kinds() -> str:
    """Return the folder of the kinds that the operator knows."""
    return f"{_module('Dir', _OF_OPERATOR)}/example/prometheus-operator-crd"


def _roles() -> list[dict[str, Any]]:
    """Return the rights of Prometheus: it looks for pods."""
    look = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    rights = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": BESIDE}
    return [
        {
            "apiVersion": f"{rights}/v1", "kind": "ClusterRole",
            "metadata": {"name": BESIDE}, "rules": [look],
        },
        {
            "apiVersion": f"{rights}/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": BESIDE}, "subjects": [subject],
            "roleRef": {"apiGroup": rights, "kind": "ClusterRole", "name": BESIDE},
        },
    ]  # fmt: skip


@contextmanager
def _operator(image: str, log: Path) -> Iterator[None]:
    """Run the operator on this machine, by the rights of whoever runs the tests."""
    address = f"{LOOPBACK}:{free_ports(1)[0]}"
    told = (f"--prometheus-config-reloader={image}", f"--web.listen-address={address}")
    command = [_OPERATOR, *told]
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            yield
        finally:
            process.terminate()


def _prometheus(image: str) -> dict[str, Any]:
    # Release 3.13.1 is the module's version v0.313.1.
    numbers = re.fullmatch(r"v0\.(\d)(\d\d)\.(\d+)", _module("Version", _OF_PROMETHEUS))
    assert numbers
    major, minor, patch = map(int, numbers.groups())
    volume, mount = on_the_node(read_only=True)
    reloader = {"command": [put(_RELOADER)], "volumeMounts": [mount]}
    server = {"command": [put(_PROMETHEUS)], "volumeMounts": [mount]}
    return {
        "apiVersion": f"{_MONITORING}/v1",
        "kind": "Prometheus",
        "metadata": {"name": BESIDE},
        "spec": {
            "version": f"v{major}.{minor}.{patch}",
            "image": image,
            "evaluationInterval": "15s",
            "podMonitorNamespaceSelector": OURS,
            "podMonitorSelector": {},
            "ruleNamespaceSelector": OURS,
            "ruleSelector": {},
            "securityContext": {"runAsUser": 65532, "runAsNonRoot": True, "fsGroup": 65532},
            "volumes": [volume],
            "containers": [
                {"name": "prometheus"} | server,
                {"name": "config-reloader"} | reloader,
            ],
            "initContainers": [{"name": "init-config-reloader"} | reloader],
            **_api_server(),
        },
    }


def _api_server() -> dict[str, Any]:
    """Return how Prometheus asks an API server that gives pods no CA; nothing if it gives one."""
    path = "jsonpath={.data.ca\\.crt}"
    if ask("get", "configmap", "kube-root-ca.crt", "--output", path):
        return {}
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
    login = {"type": "Bearer", "credentialsFile": token}
    asked = {"host": "https://kubernetes.default.svc", "authorization": login}
    return {"apiserverConfig": asked | {"tlsConfig": {"insecureSkipVerify": True}}}


@contextmanager
def watching() -> Iterator[Prometheus]:
    """Ask the Prometheus that the operator has made."""
    pod = f"prometheus-{BESIDE}-0"
    kinds = ("statefulset", f"prometheus-{BESIDE}")
    wait_for("the operator", lambda: ask("get", *kinds, "--ignore-not-found") or None, 120)
    ask("rollout", "status", "/".join(kinds), "--timeout=180s")
    with forwarded(f"pod/{pod}", 9090, namespace=BESIDE) as address:
        yield Prometheus(address)


def told(plant: Prometheus, expected: set[str], timeout_s: float) -> None:
    """Wait until exactly these rules fire."""

    def verdict() -> bool | None:
        return plant.firing() == expected or None

    wait_for(f"{sorted(expected) or 'silence'}", verdict, timeout_s)
    say(f"Prometheus tells {sorted(expected) or 'nothing'}")


def written_rules() -> set[str]:
    """Return the names of all rules of the component."""
    text = (ROOT / "k8s/components/monitoring/rules.yaml").read_text()
    groups = yaml.safe_load(text)["spec"]["groups"]
    return {rule.get("alert") or rule["record"] for group in groups for rule in group["rules"]}
