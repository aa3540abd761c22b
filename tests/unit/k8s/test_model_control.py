"""A plant's Triton, whose model control is closed by a key that nobody is told."""

import re
import subprocess

import pytest

from tests.support.manifests import workloads

pytestmark = pytest.mark.programs

SHOW_ARGUMENTS = "tritonserver() { printf '%s\\n' \"$@\"; }\n"


def arguments() -> dict[str, str]:
    """Run the container's command with a server that says what it is told."""
    (container,) = workloads("plant")["triton"].spec["containers"]
    (script,) = container["args"]
    assert script.count("exec tritonserver") == 1
    script = SHOW_ARGUMENTS + script.replace("exec tritonserver", "tritonserver")
    done = subprocess.run(
        [*container["command"], script], capture_output=True, text=True, check=True
    )
    return dict(line.removeprefix("--").split("=", 1) for line in done.stdout.splitlines())


def test_each_start_makes_another_key():
    keys = set()
    for told in (arguments(), arguments()):
        for protocol in ("grpc-restricted-protocol", "http-restricted-api"):
            closed, key = told[protocol].split(":admin-key=")
            assert closed.split(",") == ["model-repository", "shared-memory", "trace", "logging"]
            assert re.fullmatch("[0-9a-f]{64}", key)
            keys.add(key)
    assert len(keys) == 2


def test_every_model_is_loaded_and_grpc_is_encrypted():
    told = arguments()
    assert (told["load-model"], told["model-control-mode"]) == ("*", "explicit")
    assert told["grpc-use-ssl"] == "true"
    (container,) = workloads("plant")["triton"].spec["containers"]
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    for file in ("grpc-server-cert", "grpc-server-key"):
        assert told[file].rpartition("/")[0] in mounts
    assert told["model-repository"] in mounts


def test_the_triton_of_an_ensemble_in_shadow_is_encrypted_too():
    pod = workloads("plant with options")["triton-candidate"].spec
    (container,) = pod["containers"]
    told = dict(each.removeprefix("--").split("=", 1) for each in container["args"])
    (folder,) = {told[f"grpc-server-{name}"].rpartition("/")[0] for name in ("cert", "key")}
    assert told["grpc-use-ssl"] == "true"
    mounted = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}[folder]
    secret = {each["name"]: each for each in pod["volumes"]}[mounted]["secret"]
    assert secret["secretName"] == "triton-tls"
