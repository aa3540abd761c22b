"""What a plant brings beside the overlay for its options: volumes, a web hook, a login's keys."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from tests.k8s.cluster import NAMESPACE, say
from tests.support.manifests import KUBECTL

BESIDE: Final = "meltwatch-beside"
"""Namespace, pod, Service and class of the volumes."""
CLAIMS: Final = ("backups", "backtests", "alarm-journal", "console-evidence")
FOLDER: Final = f"/var/tmp/{BESIDE}"  # noqa: S108
"""Of the node."""
_WHAT_IT_DOES: Final = """
import http.server, json, os, pathlib, shutil, sys
root = pathlib.Path(sys.argv[1])
shutil.rmtree(root, ignore_errors=True)
for name in sys.argv[2:]:
    (root / name).mkdir(parents=True)
# Who only reads this one comes first, and then Kubernetes gives a folder of a node to no group.
os.chown(root / "backtests", 65532, 65532)
class Hook(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer()
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        print(json.dumps({"login": self.headers["authorization"], **told}), flush=True)
        self.answer()
    def answer(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("", 443), Hook).serve_forever()
"""


def ask(*arguments: str, given: str | None = None) -> str:
    """Run kubectl beside our namespace and return what it prints."""
    done = subprocess.run(
        [KUBECTL, "--namespace", BESIDE, *arguments],
        input=given, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout


def apply(*objects: Mapping[str, Any]) -> None:
    """Apply objects beside our namespace."""
    ask("apply", "--filename", "-", given=yaml.safe_dump_all(objects))


@contextmanager
def brought(image: str) -> Iterator[None]:
    """Bring volumes of the node and a web hook; all of it is gone at the end.

    Parameters
    ----------
    image
        One with Python, which the cluster finds.
    """
    _remove("--wait=true")  # what a run that was killed has left
    labels = {"meltwatch/scrapes": "yes"}
    metadata = {"name": BESIDE, "labels": labels}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    try:
        apply(_pod(image), _service())
        ask("wait", "--for=condition=Ready", f"pod/{BESIDE}", "--timeout=120s")
        (node,) = json.loads(ask("get", "nodes", "--output", "json"))["items"][:1]
        apply(*(_volume(name, node["metadata"]["labels"]) for name in CLAIMS))
        yield
        ask("exec", BESIDE, "--", "rm", "-rf", FOLDER)
    finally:
        _remove("--wait=false")


def _remove(how: str) -> None:
    volumes = (f"persistentvolume/{BESIDE}-{name}" for name in CLAIMS)
    ask("delete", "--ignore-not-found", how, f"namespace/{BESIDE}", *volumes)


def put(program: Path) -> str:
    """Put a program of this machine onto the node, and return its path there."""
    path = f"{FOLDER}/{program.name}"
    command = [KUBECTL, "--namespace", BESIDE, "exec", "--stdin", BESIDE, "--"]
    with program.open("rb") as content:
        subprocess.run(
            [*command, "sh", "-c", f"cat >{path} && chmod 755 {path}"],
            stdin=content, check=True, timeout=240,
        )  # fmt: skip
    return path


def on_the_node(*, read_only: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a volume of a pod, the folder of the node above ours, and how it is mounted."""
    above = str(Path(FOLDER).parent)
    volume = {"name": "node", "hostPath": {"path": above}}
    return volume, {"name": "node", "mountPath": above, "readOnly": read_only}


def _pod(image: str) -> dict[str, Any]:
    volume, mount = on_the_node(read_only=False)
    container = {
        "name": BESIDE,
        "image": image,
        "command": ["python", "-c", _WHAT_IT_DOES, FOLDER, *CLAIMS],
        # Folders of a node are root's.
        "securityContext": {"runAsUser": 0},
        "readinessProbe": {"httpGet": {"port": 443}, "periodSeconds": 1},
        "volumeMounts": [mount],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": BESIDE, "labels": {"app": BESIDE}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [volume],
        },
    }


def _service() -> dict[str, Any]:
    ports = [{"name": "hook", "port": 443}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": BESIDE},
        "spec": {"selector": {"app": BESIDE}, "ports": ports},
    }


def _volume(name: str, node: Mapping[str, str]) -> dict[str, Any]:
    label = "kubernetes.io/hostname"
    wanted = [{"key": label, "operator": "In", "values": [node[label]]}]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{BESIDE}-{name}"},
        "spec": {
            "capacity": {"storage": "20Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "storageClassName": BESIDE,
            "claimRef": {"namespace": NAMESPACE, "name": name},
            "local": {"path": f"{FOLDER}/{name}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": wanted}]}},
        },
    }


def files(claim: str) -> list[str]:
    """Return the files of a volume."""
    folder = f"{FOLDER}/{claim}"
    found = ask("exec", BESIDE, "--", "find", folder, "-type", "f", "-printf", "%P\\n")
    return sorted(found.splitlines())


def read(claim: str, file: str) -> str:
    """Return what a file of a volume holds."""
    return ask("exec", BESIDE, "--", "cat", f"{FOLDER}/{claim}/{file}")


def hooked() -> list[dict[str, Any]]:
    """Return what has come to the web hook."""
    told = [json.loads(line) for line in ask("logs", BESIDE).splitlines()]
    say(f"{len(told)} messages have come to the web hook")
    return told
