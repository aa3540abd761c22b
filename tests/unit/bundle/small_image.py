"""Add an image of a few bytes to an OCI layout, as a builder does: NAME FOLDER IMAGE."""

import argparse
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

STATUS = """Package: libc6
Status: install ok installed
Version: 2.36-9+deb12u9

Package: gone
Status: deinstall ok config-files
Version: 1.0
"""
IMAGE = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def packed(files: dict[str, bytes]) -> bytes:
    """Return a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def main() -> None:
    """Add an image to an OCI layout, spoilt in one way or in none."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("image")
    parser.add_argument("--harm")
    given = parser.parse_args()
    blobs = given.folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    packages = "opt/meltwatch/lib/python3.11/site-packages"
    files = {"var/lib/dpkg/status": STATUS.encode(), "name": given.name.encode()}
    if given.harm == "stranger":
        files[f"{packages}/left_pad-1.0.dist-info/METADATA"] = b""
    data = gzip.compress(packed(files), mtime=0)
    layer = blob(b"no layer" if given.harm == "text" else data, LAYER)
    top = blob(json.dumps({"schemaVersion": 2, "layers": [layer]}).encode(), IMAGE)
    top["annotations"] = {"org.opencontainers.image.ref.name": given.image}
    if given.harm == "index":
        top["mediaType"] = "application/vnd.oci.image.index.v1+json"
    if given.harm == "manifest":
        (blobs / top["digest"].removeprefix("sha256:")).write_text("{}")
    file = given.folder / "index.json"
    known = json.loads(file.read_text())["manifests"] if file.exists() else []
    known += [] if given.harm == "missing" else [top]
    file.write_text(json.dumps({"schemaVersion": 2, "manifests": known}))


if __name__ == "__main__":
    main()
