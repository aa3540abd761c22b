"""The digest that names the exact files an ensemble answers from.

It stands alone and imports nothing of the trainer, so that it can be checked without PyTorch.
"""

import hashlib
from collections.abc import Mapping


def files_digest(files: Mapping[str, bytes]) -> str:
    """Return the SHA-256 over named files, in lower-case hex.

    Parameters
    ----------
    files
        Path relative to the model repository, with ``/``, to content. Order does not matter.

    Notes
    -----
    Names and lengths are hashed too, so that moving bytes between files changes the digest.
    """
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
