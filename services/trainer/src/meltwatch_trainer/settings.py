"""Where the trainer works and from which seed."""

import os
from dataclasses import dataclass
from pathlib import Path


def default_work_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/meltwatch/trainer``, or the same below ``~/.cache``."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "meltwatch" / "trainer"


@dataclass(frozen=True, slots=True)
class Settings:
    """One training run.

    Parameters
    ----------
    work
        Folder of the window cache and the checkpoints: about 3 GB.
    repository
        Triton's model repository, to write or to verify.
    reference
        File of frozen windows and answers for the contract test.
    seed
        Seed of the simulated furnaces that are learned from.
    """

    work: Path
    repository: Path
    reference: Path
    seed: int
