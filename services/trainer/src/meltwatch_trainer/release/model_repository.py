"""The folder that Triton mounts: written whole, checked by its digest."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meltwatch_trainer.errors import RepositoryError
from meltwatch_trainer.network.model_config import (
    ENSEMBLE,
    ModelSpec,
    aggregate_spec,
    decode_spec,
    ensemble_config,
    member_spec,
    step_config,
)
from meltwatch_trainer.release.digest import files_digest

_DIGEST: Final = re.compile(r'key: "digest" value { string_value: "(?P<digest>[0-9a-f]{64})" }')


@dataclass(frozen=True, slots=True)
class EnsembleFiles:
    """What an ensemble is made of, ready to be written.

    Parameters
    ----------
    letters
        Members in the order of ``member_logits``.
    dims
        Embedding length d.
    onnx
        Model name to ONNX bytes, for every step.
    parameters
        Parameters of the ensemble but its digest, which is computed here.
    """

    letters: tuple[str, ...]
    dims: int
    onnx: Mapping[str, bytes]
    parameters: Mapping[str, str]


def step_specs(letters: tuple[str, ...], dims: int) -> tuple[ModelSpec, ...]:
    """Return the contracts of all steps in the order of the data's way."""
    members = (member_spec(letter) for letter in letters)
    return decode_spec(dims), *members, aggregate_spec(letters)


def check_repository(root: Path) -> str:
    """Compare the files below ``root`` with the digest in the ensemble's configuration.

    Returns
    -------
    The digest.

    Raises
    ------
    RepositoryError
        If there is no ensemble, no digest, or another digest than the files have.
    """
    config = root / ENSEMBLE / "config.pbtxt"
    if not config.exists():
        raise RepositoryError(f"{config}: expected the ensemble's configuration, found no file")
    stated = _DIGEST.search(config.read_text())
    computed = files_digest(
        {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.glob(f"{ENSEMBLE}_*/**/*")
            if path.is_file()
        }
    )
    if stated is None or stated["digest"] != computed:
        found = stated["digest"] if stated else "none"
        raise RepositoryError(f"{config}: expected digest {computed} of the files, found {found}")
    return computed


def write_repository(root: Path, files: EnsembleFiles) -> str:
    """Write every model of the ensemble below ``root`` and return the ensemble's digest.

    Members of an earlier ensemble that this one has not are removed: a server would load them.
    """
    content: dict[str, bytes] = {}
    for model in step_specs(files.letters, files.dims):
        content[f"{model.name}/config.pbtxt"] = step_config(model).encode()
        content[f"{model.name}/1/model.onnx"] = files.onnx[model.name]
    digest = files_digest(content)
    parameters = {**files.parameters, "digest": digest, "members": ",".join(files.letters)}
    config = ensemble_config(files.letters, files.dims, parameters)
    content[f"{ENSEMBLE}/config.pbtxt"] = config.encode()
    # Triton wants a version folder even where an ensemble has no file; git wants a file.
    content[f"{ENSEMBLE}/1/.gitkeep"] = b""
    for old in root.glob(f"{ENSEMBLE}_member_*"):
        if old.name.removeprefix(f"{ENSEMBLE}_member_") not in files.letters:
            shutil.rmtree(old)
    for path, data in content.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return digest
