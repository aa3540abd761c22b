"""What the images of a bundle hold: read from their layers, not from what was asked for."""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_IMAGE: Final = "application/vnd.oci.image.manifest.v1+json"
_NAME: Final = "org.opencontainers.image.ref.name"
_PYTHON: Final = re.compile(r"(?:\./)?opt/.*/site-packages/([^/]+)-([^-/]+)\.dist-info/METADATA")
_DEBIAN: Final = re.compile(r"(?:\./)?var/lib/dpkg/status")
Packages = frozenset[tuple[str, str]]


class NotAnImage(Exception):  # noqa: N818 - named as a person reads it
    """A folder holds no such image."""


@dataclass(frozen=True)
class Image:
    """What an image holds.

    Attributes
    ----------
    digest
        Of its manifest, ``sha256:…``: what a registry and a cluster know it by.
    python, debian
        Name and version of each package, those of Python below ``/opt`` alone.
    """

    digest: str
    python: Packages
    debian: Packages


class Layout:
    """A folder with images, as OCI lays it out: what images share is there once, and read once.

    Parameters
    ----------
    folder
        With ``index.json`` and ``blobs``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._layers: dict[str, tuple[Packages, Packages | None]] = {}

    def read(self, name: str) -> Image:
        """Return what an image holds.

        Raises
        ------
        NotAnImage
            With what was expected, if it is not there, or is something else than its digest says.
        """
        try:
            digest, layers = self._manifest(name)
            found = [self._layer(each) for each in layers]
        except (tarfile.TarError, KeyError, ValueError, OSError) as error:
            why = str(error).partition("\n")[0]
            raise NotAnImage(f"expected an OCI image in {self._folder.name}: {why}") from error
        python = frozenset[tuple[str, str]]().union(*(layer[0] for layer in found))
        status = [layer[1] for layer in found if layer[1] is not None]
        return Image(digest, python, status[-1] if status else frozenset())

    def _manifest(self, name: str) -> tuple[str, list[str]]:
        """Return the digest of an image, and those of its layers from the lowest up."""
        index = json.loads((self._folder / "index.json").read_text())["manifests"]
        tops = [each for each in index if each.get("annotations", {}).get(_NAME) == name]
        if len(tops) != 1:
            raise ValueError(f"expected one that is named {name}, found {len(tops)}")
        if (kind := tops[0]["mediaType"]) != _IMAGE:
            raise ValueError(f"expected {_IMAGE}, got {kind}")
        digest = tops[0]["digest"]
        manifest = self._blob(digest).read_bytes()
        if (found := f"sha256:{hashlib.sha256(manifest).hexdigest()}") != digest:
            raise ValueError(f"expected the manifest {digest}, got {found}")
        return digest, [layer["digest"] for layer in json.loads(manifest)["layers"]]

    def _layer(self, digest: str) -> tuple[Packages, Packages | None]:
        if digest not in self._layers:
            with tarfile.open(self._blob(digest), mode="r|*") as layer:
                self._layers[digest] = _packages_of(layer)
        return self._layers[digest]

    def _blob(self, digest: str) -> Path:
        return self._folder / "blobs" / digest.replace(":", "/")


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
