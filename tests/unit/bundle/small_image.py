"""Write an OCI archive of a few bytes, as a builder saves an image."""

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


def archive_of(name: str, harm: str | None) -> bytes:
    """Return the archive of an image that is named so, spoilt in one way or in none."""
    blobs: dict[str, bytes] = {}

    def blob(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

    packages = "opt/meltwatch/lib/python3.11/site-packages"
    files = {"var/lib/dpkg/status": STATUS.encode(), "name": name.encode()}
    if harm == "stranger":
        files[f"{packages}/left_pad-1.0.dist-info/METADATA"] = b""
    layer = blob(gzip.compress(packed(files), mtime=0), LAYER)
    manifest = json.dumps({"schemaVersion": 2, "layers": [layer]}).encode()
    top = blob(manifest, IMAGE)
    if harm == "index":
        top["mediaType"] = "application/vnd.oci.image.index.v1+json"
    if harm == "manifest":
        blobs[f"blobs/{top['digest'].replace(':', '/')}"] += b" "
    index = {"schemaVersion": 2, "manifests": [top] * (2 if harm == "two" else 1)}
    return packed({"index.json": json.dumps(index).encode()} | blobs)


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("file", type=Path)
    parser.add_argument("--harm")
    given = parser.parse_args()
    text = given.harm == "text"
    given.file.write_bytes(b"no archive" if text else archive_of(given.name, given.harm))


if __name__ == "__main__":
    main()
