"""Scores on disk: one compressed NumPy archive, without pickles, written in one go."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from meltwatch_trainer.errors import ScoresError
from meltwatch_trainer.judge.scores import Scores

_ARRAYS: Final = (
    "run",
    "end_s",
    "label",
    "fault_run",
    "fault_start_s",
    "fault_end_s",
    "fault_misty",
    "fault_veiled",
    "fault_silent",
)


def write_scores(path: Path, scores: Scores) -> None:
    """Write scores; a reader sees the old file or the new one, never half of it."""
    arrays = {name: getattr(scores, name) for name in _ARRAYS}
    arrays |= {f"logits/{key}": values for key, values in scores.logits.items()}
    arrays |= {f"pixels/{key}": values for key, values in scores.pixels.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            furnaces=np.array(scores.furnaces, dtype=np.str_),
            durations_s=scores.durations_s,
            hop_s=scores.hop_s,
            **arrays,
        )
    temporary.replace(path)


def read_scores(path: Path) -> Scores:
    """Return the scores of a file.

    Raises
    ------
    ScoresError
        If there is no such file or it does not hold scores.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = dict(archive)
        return Scores(
            furnaces=tuple(content["furnaces"].tolist()),
            durations_s=content["durations_s"],
            hop_s=float(content["hop_s"]),
            logits=_group(content, "logits/"),
            pixels=_group(content, "pixels/"),
            **{name: content[name] for name in _ARRAYS},
        )
    except OSError as error:
        raise ScoresError(f"{path}: expected scores: {error.strerror}; score first") from error
    except (KeyError, ValueError, BadZipFile) as error:
        raise ScoresError(f"{path}: expected scores, got another file: {error}") from error


def _group(content: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    found = {key: values for key, values in content.items() if key.startswith(prefix)}
    return {key.removeprefix(prefix): values for key, values in found.items()}
