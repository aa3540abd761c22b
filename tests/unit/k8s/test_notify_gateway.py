"""The optional component, added to the plant's overlay as docs/notify.md says."""

import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from tests.support.manifests import KUBECTL, ROOT


@pytest.fixture
def objects(tmp_path):
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    overlay = tmp_path / "k8s/overlays/plant"
    file = overlay / "kustomization.yaml"
    conventions = "  - ../../components/conventions\n"
    said = file.read_text()
    assert conventions in said
    file.write_text(
        said.replace(conventions, f"{conventions}  - ../../components/notify-gateway\n")
    )
    done = subprocess.run(
        [KUBECTL, "kustomize", overlay], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return {
        (each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)
    }


def test_the_component_adds_one_pod_without_rights_that_reads_its_channels_from_a_secret(objects):
    own = [each for (_, name), each in objects.items() if name.startswith("notify-gateway")]
    assert len(own) == 4
    for each in own:
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
    deployment = objects["Deployment", "notify-gateway"]["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["channels"]["secret"]["secretName"] == "notify-channels"
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["env"][0]["value"] == f"{mounts['channels']}/channels.yaml"
    assert mounts.keys() == volumes.keys() >= {"ca"}
    assert {"secretRef": {"name": "kafka-login"}} in container["envFrom"]


def test_it_may_talk_to_channels_and_nobody_else_may(objects):
    policy = objects["NetworkPolicy", "notify-gateway-to-channels"]["spec"]
    assert policy["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "notify-gateway"}
    assert policy["policyTypes"] == ["Egress"]
