"""What was seen of each furnace, kept on disk: a killed run goes on where it stopped."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import meltwatch_core
import meltwatch_simulator
import numpy as np

import meltwatch_trainer
from meltwatch_trainer.errors import ScoresError, UnwritableError
from meltwatch_trainer.rivals.rival_sets import RivalSet
from meltwatch_trainer.rivals.rival_sides import RivalSurprises, rival_surprises
from meltwatch_trainer.unseen.contenders import FurnaceSurprises

_MADE_BY: Final = (
    Path(meltwatch_simulator.__file__).parent,
    Path(meltwatch_core.__file__).parent / "portraits",
    Path(meltwatch_trainer.__file__).parent / "unseen",
    Path(meltwatch_trainer.__file__).parent / "rivals",
)
_SIDE: Final = "side/"


@dataclass(frozen=True, slots=True)
class KeptFurnaces:
    """A folder of what was seen of a set's furnaces.

    Attributes
    ----------
    root
        Folder of all that such runs keep; what other code has seen is kept beside.
    seed
        Of the simulated furnaces.
    judged
        The set.
    """

    root: Path
    seed: int
    judged: RivalSet

    @property
    def folder(self) -> Path:
        """Where this set's furnaces are kept: by other code, another folder."""
        code = hashlib.sha256(repr((self.seed, self.judged.kinds)).encode())
        for package in _MADE_BY:
            for file in sorted(package.glob("*.py")):
                code.update(file.read_bytes())
        return self.root / f"{self.judged.runs.name}-{code.hexdigest()[:12]}"

    def furnace(self, folder: Path, number: int) -> RivalSurprises:
        """Return what was seen of a furnace; look at it, if that was not kept."""
        path = folder / f"furnace-{number:04d}.npz"
        if path.exists():
            return self._read(path, number)
        seen = rival_surprises(self.seed, self.judged, number)
        _write(path, seen)
        return seen

    def _read(self, path: Path, number: int) -> RivalSurprises:
        try:
            with np.load(path, allow_pickle=False) as archive:
                content = dict(archive)
            surprises = FurnaceSurprises(
                number,
                self.judged.plan(self.seed, number),
                content["times_s"],
                {
                    name.removeprefix(_SIDE): values
                    for name, values in content.items()
                    if name.startswith(_SIDE)
                },
            )
            return RivalSurprises(surprises, float(content["explained"]))
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise ScoresError(
                f"{path}: expected what was seen of a furnace, got {error}"
            ) from error


def _write(path: Path, seen: RivalSurprises) -> None:
    draft = path.with_suffix(".draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            np.savez_compressed(
                file,
                allow_pickle=False,
                times_s=seen.surprises.times_s,
                explained=seen.explained,
                **{f"{_SIDE}{name}": values for name, values in seen.surprises.surprises.items()},
            )
        draft.replace(path)
    except OSError as error:
        raise UnwritableError(f"--work: expected a folder to write to, got {error}") from error
