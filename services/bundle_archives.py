"""What the images of a bundle hold: read from their OCI archives, not from what was asked for."""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

_IMAGE: Final = "application/vnd.oci.image.manifest.v1+json"
_PYTHON: Final = re.compile(r"(?:\./)?opt/.*/site-packages/([^/]+)-([^-/]+)\.dist-info/METADATA")
_DEBIAN: Final = re.compile(r"(?:\./)?var/lib/dpkg/status")
Packages = frozenset[tuple[str, str]]


class NotAnImage(Exception):  # noqa: N818 - named as a person reads it
    """A file is no OCI archive of one image."""


@dataclass(frozen=True)
class Image:
    """What an archive holds.

    Attributes
    ----------
    digest
        Of the image's manifest, ``sha256:…``: what a registry and a cluster know it by.
    python, debian
        Name and version of each package, those of Python below ``/opt`` alone.
    """

    digest: str
    python: Packages
    debian: Packages


class Archives:
    """Reads archives, each layer once: images share most of theirs."""

    def __init__(self) -> None:
        self._layers: dict[str, tuple[Packages, Packages | None]] = {}

    def read(self, path: Path) -> Image:
        """Return what an archive holds.

        Raises
        ------
        NotAnImage
            With what was expected, if it holds no image, several, or none that its digest names.
        """
        try:
            with tarfile.open(path) as archive:
                digest, layers = _layers_of(archive)
                found = [self._layer(archive, each) for each in layers]
        except (tarfile.TarError, KeyError, ValueError, OSError) as error:
            why = str(error).partition("\n")[0]
            raise NotAnImage(f"{path.name}: expected an OCI archive of one image: {why}") from error
        python = frozenset[tuple[str, str]]().union(*(layer[0] for layer in found))
        status = [layer[1] for layer in found if layer[1] is not None]
        return Image(digest, python, status[-1] if status else frozenset())

    def _layer(self, archive: tarfile.TarFile, digest: str) -> tuple[Packages, Packages | None]:
        if digest not in self._layers:
            with tarfile.open(fileobj=_blob(archive, digest), mode="r|*") as layer:
                self._layers[digest] = _packages_of(layer)
        return self._layers[digest]


def _layers_of(archive: tarfile.TarFile) -> tuple[str, list[str]]:
    """Return the digest of an archive's image, and those of its layers from the lowest up."""
    (top,) = json.load(_blob(archive, None))["manifests"]
    if top["mediaType"] != _IMAGE:
        raise ValueError(f"expected {_IMAGE}, got {top['mediaType']}")
    manifest = _blob(archive, top["digest"]).read()
    if (found := f"sha256:{hashlib.sha256(manifest).hexdigest()}") != top["digest"]:
        raise ValueError(f"expected the manifest {top['digest']}, got {found}")
    return top["digest"], [layer["digest"] for layer in json.loads(manifest)["layers"]]


def _blob(archive: tarfile.TarFile, digest: str | None) -> IO[bytes]:
    name = "index.json" if digest is None else f"blobs/{digest.replace(':', '/')}"
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file


def _packages_of(layer: tarfile.TarFile) -> tuple[Packages, Packages | None]:
    python, debian = set(), None
    for member in layer:
        if found := _PYTHON.fullmatch(member.name):
            python.add((found[1].lower().replace("_", "-").replace(".", "-"), found[2]))
        elif member.isfile() and _DEBIAN.fullmatch(member.name):
            status = layer.extractfile(member)
            debian = frozenset(_installed(status.read().decode() if status else ""))
    return frozenset(python), debian


def _installed(status: str) -> Iterator[tuple[str, str]]:
    """Give the packages that dpkg calls installed."""
    for paragraph in status.split("\n\n"):
        told = dict(re.findall(r"^(Package|Version|Status): (.*)$", paragraph, re.MULTILINE))
        if told.get("Status", "").endswith(" installed"):
            yield told["Package"], told["Version"]


def as_components(packages: Iterable[tuple[str, str]], kind: str) -> list[dict[str, Any]]:
    """Return packages as CycloneDX lists them; ``kind`` is that of their purl, ``deb/debian``."""
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:{kind}/{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:{kind}/{name}@{version.replace('+', '%2B').replace(':', '%3A')}",
        }
        for name, version in sorted(packages)
    ]
