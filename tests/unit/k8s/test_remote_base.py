"""A plant's own folder on a release by its tag: an upgrade is one changed reference."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.manifests import KUBECTL, ROOT, as_text, rendered

pytestmark = pytest.mark.programs

EXAMPLE = ROOT / "examples" / "plant-overlay"
ADDRESS = "https://git.example.com/meltwatch.git"
OLD, NEW = "0.2.0", "0.3.0"


def git(folder: Path, *arguments: str) -> None:
    line = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    subprocess.run(line, check=True, capture_output=True)


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases under their tags; the second has other images and one object more."""
    folder = tmp_path_factory.mktemp("releases")
    shutil.copytree(ROOT / "k8s", folder / "k8s")
    git(folder, "init", "--quiet")
    overlay = folder / "k8s" / "overlays" / "plant"
    for release in (OLD, NEW):
        if release == NEW:
            file = overlay / "kustomization.yaml"
            file.write_text(file.read_text().replace(f"newTag: {OLD}", f"newTag: {NEW}"))
            external = overlay / "external.yaml"
            more = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}
            external.write_text(external.read_text() + f"---\n{yaml.safe_dump(more)}")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", release)
        git(folder, "tag", f"v{release}")
    return folder


def render(releases: Path, into: Path, release: str) -> list[dict[str, Any]]:
    """Render the example's copy, in which nothing but the reference is another."""
    shutil.copytree(EXAMPLE, into)
    file = into / "kustomization.yaml"
    text = file.read_text()
    assert text.count(f"{ADDRESS}//k8s/overlays/plant?ref=v{OLD}") == 1
    file.write_text(
        text.replace(ADDRESS, f"file://{releases}").replace(f"?ref=v{OLD}", f"?ref=v{release}")
    )
    done = subprocess.run([KUBECTL, "kustomize", into], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


def test_the_example_is_the_plant_overlay_with_what_a_plant_says(releases, tmp_path):
    found = render(releases, tmp_path / "plant", OLD)
    assert len(found) == len(rendered("plant"))
    text = as_text(found)
    assert "registry.example.com" not in text
    assert "kafka-1.plant.example.com" not in text
    (settings,) = (o for o in found if o["metadata"]["name"].startswith("settings-"))
    assert settings["data"]["MELTWATCH_KAFKA"] == "kafka.plant.example:9093"
    # What is not said is the release's.
    (released,) = (o for o in rendered("plant") if o["metadata"]["name"].startswith("settings-"))
    assert settings["data"].keys() == released["data"].keys()
    (used,) = {
        each["configMapRef"]["name"]
        for o in found
        if o["kind"] == "Deployment"
        for each in o["spec"]["template"]["spec"]["containers"][0]["envFrom"]
        if "configMapRef" in each
    }
    assert used == settings["metadata"]["name"]


def test_an_upgrade_is_one_changed_reference(releases, tmp_path):
    before = render(releases, tmp_path / "before", OLD)
    after = render(releases, tmp_path / "after", NEW)
    images = [line.split()[-1] for line in as_text(after).splitlines() if "image:" in line]
    ours = [image for image in images if "registry.plant.example" in image]
    assert ours
    assert {image.rpartition(":")[2] for image in ours} == {NEW}
    assert len(after) == len(before) + 1
    for what in ("settings-", "plant-", "roles-"):
        kept = [
            [o["data"] for o in each if o["metadata"]["name"].startswith(what)]
            for each in (before, after)
        ]
        assert kept[0] == kept[1]
        assert kept[0]
