"""A plant without a network: what runs came out of a bundle, and is what was checked.

The stories of the laptop overlays that follow run from the same bundle.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.k8s.cluster import kubectl, pods, run, say
from tests.k8s.conftest import LAPTOP, SECURED, Laptop
from tests.k8s.story import until_the_self_test_has_passed
from tests.support.manifests import KUBECTL, ROOT

pytestmark = [
    pytest.mark.k8s,
]
INSTALLED = """
import importlib.metadata as m, json
print(json.dumps([(d.name.lower().replace("_", "-"), d.version) for d in m.distributions()]))
"""
# As a pod's image, and as what the node says it runs.
NAMED = re.compile(
    r"(?P<name>[^@]+/meltwatch/(?P<image>[a-z-]+))(:[^@]+)?@(?P<digest>sha256:.{64})"
)


def digests(bundle: Path) -> dict[str, str]:
    """Return the digest of each image, by its name in the folder."""
    manifests = json.loads((bundle / "images" / "index.json").read_text())["manifests"]
    name = "org.opencontainers.image.ref.name"
    return {each["annotations"][name]: each["digest"] for each in manifests}


def alone(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that reaches no network, not even this machine's own."""
    closed = ["unshare", "--net", "--map-root-user", *command]
    return subprocess.run(closed, cwd="/", capture_output=True, text=True, check=False)


def test_a_bundle_is_checked_and_rendered_without_any_network(bundle: Path, overlays: Path):
    if shutil.which("unshare") is None or alone("true").returncode:
        pytest.skip("this machine closes no network (unshare --net)")
    reach = "import socket; socket.create_connection(('127.0.0.1', 1), 5)"
    assert "unreachable" in alone(sys.executable, "-c", reach).stderr
    checked = alone(sys.executable, ROOT / "services" / "bundle.py", "--check", bundle)
    assert (checked.returncode, checked.stderr) == (0, "")
    for name in (LAPTOP, SECURED):
        rendered = alone(KUBECTL, "kustomize", overlays / name)
        assert rendered.returncode == 0, rendered.stderr
        text = kubectl("kustomize", str(overlays / name))
        assert rendered.stdout == text


def test_the_plant_overlay_of_the_bundle_is_admitted_by_digest(namespace: str, bundle: Path):
    overlay = bundle / "k8s" / "overlays" / "plant"
    told = kubectl("apply", "--dry-run=server", "--output", "yaml", "-k", str(overlay))
    known = digests(bundle)
    items = [each for each in yaml.safe_load(told)["items"] if each["kind"] == "StatefulSet"]
    named = [
        found
        for each in items
        for container in each["spec"]["template"]["spec"]["initContainers"]
        if (found := NAMED.fullmatch(container["image"]))
    ]
    assert {found["image"] for found in named} >= {"triton", "tools"}
    assert all(found["digest"] == known[found["image"]] for found in named)


def test_the_self_test_passes(laptop: Laptop):
    until_the_self_test_has_passed(laptop)


def test_what_runs_is_what_was_checked(laptop: Laptop, bundle: Path, registry: str):
    known, running = digests(bundle), set()
    for name, pod in pods().items():
        spec, status = pod["spec"], pod["status"]
        asked = [*spec.get("initContainers", ()), *spec["containers"]]
        states = [*status.get("initContainerStatuses", ()), *status["containerStatuses"]]
        for said in [each["image"] for each in asked] + [each["imageID"] for each in states]:
            found = NAMED.fullmatch(said)
            assert found, f"{name}: {said}"
            assert found["name"] == f"{registry}/meltwatch/{found['image']}"
            assert found["digest"] == known[found["image"]], f"{name}: {said}"
            running.add(found["image"])
    say(f"{len(running)} images run by the digests of the bundle: {', '.join(sorted(running))}")
    assert {"stream-processor", "alarm-manager", "triton", "broker", "redis"} <= running


def test_the_node_fetched_nothing_from_elsewhere(laptop: Laptop, registry: str):
    events = json.loads(kubectl("get", "events", "--output", "json"))["items"]
    told = [each["message"] for each in events if each["reason"] in {"Pulling", "Pulled"}]
    fetched = [found[1] for text in told if (found := re.search(r"image \"([^\"]+)\"", text))]
    assert len(fetched) == len(told) > 0
    assert [name for name in fetched if not name.startswith(f"{registry}/meltwatch/")] == []


@pytest.mark.parametrize("workload", ["alarm-manager", "stream-processor", "scada-adapter"])
def test_what_a_pod_holds_stands_in_the_list_of_the_bundle(
    laptop: Laptop, bundle: Path, workload: str
):
    kind = "statefulset" if workload == "stream-processor" else "deployment"
    inside = ("exec", f"{kind}/{workload}", "--container", workload, "--")
    held = {tuple(each) for each in json.loads(kubectl(*inside, "python", "-c", INSTALLED))}
    debian = kubectl(*inside, "dpkg-query", "--show", "--showformat", "${Package} ${Version}\n")
    document = json.loads((bundle / "sbom" / f"{workload}.cdx.json").read_text())
    components = [*document["components"], document["metadata"]["component"]]
    listed = {(each["name"], each["version"]) for each in components if "version" in each}
    say(f"{workload}: {len(held)} packages of Python, {len(debian.splitlines())} of Debian")
    assert {name for name, _ in held} >= {"meltwatch-cli", "aiokafka"}
    assert held - listed == set()
    assert {tuple(line.split(" ", 1)) for line in debian.splitlines()} <= listed


def test_no_pod_reaches_what_is_outside_of_the_cluster(laptop: Laptop):
    if not os.environ.get("CLOSED"):
        pytest.skip("needs CLOSED=yes: a cluster whose pods are let nowhere else")
    source = re.search(r'url = "(https://[^"]+)"', (ROOT / "uv.lock").read_text())
    assert source
    host = urlsplit(source[1]).hostname
    address = socket.getaddrinfo(host, 443, socket.AF_INET)[0][4][0]
    with socket.create_connection((address, 443), 10):
        say(f"this machine reaches {host}, from where packages come: no pod may")
    reach = f"import socket; socket.create_connection(('{address}', 443), 5)"
    for pod in ("stream-processor-0", "deployment/alarm-manager", "kafka-0"):
        done = run("exec", pod, "--", "python3", "-c", reach)
        assert done.returncode == 1, f"{pod} reaches {host}"
        assert re.search("refused|unreachable|timed out", done.stderr), done.stderr
