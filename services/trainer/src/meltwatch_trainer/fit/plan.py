"""What is trained on which recordings, and where it lies: a function of data and settings."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from meltwatch_trainer.data.recorded.labels import LabelledTime
from meltwatch_trainer.data.recorded.runs import LabelledRecording, RecordedWindows
from meltwatch_trainer.data.recorded.store import open_furnace
from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.train.study import SHIPPED, StudyModel, study_model
from meltwatch_trainer.train.study_training import TrainingJob
from meltwatch_trainer.train.trained import weights_path

ALL: Final = "all"
"""Folder of the members that learn from every recording: what is exported."""
CONTINUED_EPOCHS: Final = 3
CONTINUED_RATE: Final = 3e-4
"""A fifth of a fresh training's: what was learned before is to be bent, not broken."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What a fit costs, where nothing else is said.

    Attributes
    ----------
    size
        What the members' sizes are replaced by; those that go on from weights keep theirs.
    epochs
        Of members that begin fresh.
    groups
        In how many recordings are left out; None leaves each out alone.
    every
        Each n-th window is scored.
    """

    size: Mapping[str, Any]
    epochs: int
    groups: int | None
    every: int

    def left_out(self, recordings: int) -> int | None:
        """Return in how many groups so many recordings are left out."""
        return None if self.groups is None else min(self.groups, recordings)


PRESETS: Final = {
    "served": Preset({}, epochs=20, groups=None, every=1),
    "small": Preset(
        {"width": 24, "depth": 2, "heads": 3, "decoder_widths": (12, 8, 8)},
        epochs=8,
        groups=3,
        every=3,
    ),
}
"""As the shipped ensemble; and little: gone on from weights, six furnace-hours took half an hour of
one processor. Fresh members see more than twice as many windows: that was not measured."""


@dataclass(frozen=True, slots=True)
class FitPlan:
    """One fit.

    Attributes
    ----------
    folder
        Of everything that is made on the way.
    recordings
        What is learned from and judged on.
    groups
        Numbers of the recordings that are left out together.
    models
        The members, in order.
    before
        The members that they begin from, as they were; none if they begin fresh.
    """

    folder: Path
    recordings: tuple[LabelledRecording, ...]
    groups: tuple[tuple[int, ...], ...]
    models: tuple[StudyModel, ...]
    before: tuple[StudyModel, ...]

    def models_without(self, group: int) -> Path:
        """Return the folder of the members that have not seen a group."""
        return self.folder / "models" / f"without-{group}"

    @property
    def models_of_all(self) -> Path:
        """Folder of the members that have seen everything."""
        return self.folder / "models" / ALL

    def jobs(self) -> list[TrainingJob]:
        """Return the trainings that are not finished."""
        every = range(len(self.recordings))
        parts = [
            (self.models_without(number), [i for i in every if i not in group])
            for number, group in enumerate(self.groups)
        ]
        jobs = []
        for number, (folder, learnt) in enumerate([*parts, (self.models_of_all, list(every))]):
            windows = partial(open_windows, self.folder, learnt)
            part = f", {number + 1} of {len(parts) + 1}"
            jobs += [
                TrainingJob(model, windows, folder, part)
                for model in self._planned(learnt)
                if not weights_path(folder, model.name).exists()
            ]
        return jobs

    def _planned(self, learnt: Sequence[int]) -> list[StudyModel]:
        """Return the models with as many windows to see as their epochs need."""
        size = sum(len(np.load(self.folder / f"drawn-{number}.npy")) for number in learnt)
        return [
            replace(model, plan=replace(model.plan, windows_seen=size * model.plan.windows_seen))
            for model in self.models
        ]


def models_of(
    preset: Preset, seed: int, epochs: int | None, begin: Path | None
) -> list[StudyModel]:
    """Return the members; how many windows they see stands in epochs until a plan has windows.

    Parameters
    ----------
    begin
        Folder of the weights to go on from, ``NAME.pt``.
    """
    found = []
    for name in SHIPPED:
        model = study_model(name)
        plan = replace(
            model.plan,
            seed=model.plan.seed + seed,
            windows_seen=epochs or (preset.epochs if begin is None else CONTINUED_EPOCHS),
            rate=model.plan.rate if begin is None else CONTINUED_RATE,
        )
        spec = model.spec
        if begin is None and isinstance(spec, MemberSpec):
            spec = replace(spec, **preset.size)
        start = None if begin is None else weights_path(begin, name)
        found.append(StudyModel(name, spec, plan, start))
    return found


def planned(
    root: Path,
    recordings: Sequence[LabelledRecording],
    groups: Sequence[tuple[int, ...]],
    models: Sequence[StudyModel],
    seed: int,
) -> FitPlan:
    """Return the plan, its draws written down; equal arguments give the same folder."""
    told = hashlib.sha256(repr((seed, tuple(groups), tuple(models))).encode())
    for recording in recordings:
        told.update(recording.furnace.folder.parent.name.encode())
        told.update(recording.furnace.name.encode())
        told.update(repr(recording.time).encode())
    for model in models:
        told.update(b"" if model.begin is None else model.begin.read_bytes())
    folder = root / told.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    for number, recording in enumerate(recordings):
        path = folder / f"drawn-{number}.npy"
        if not path.exists():
            _write_drawn(path, recording, seed, number)
    before = tuple(model for model in models if model.begin is not None)
    return FitPlan(folder, tuple(recordings), tuple(groups), tuple(models), before)


def _write_drawn(path: Path, recording: LabelledRecording, seed: int, number: int) -> None:
    drawn = recording.drawn(np.random.default_rng((seed, number)))
    np.save(path.with_name(f"labels-{number}.npy"), recording.labels)
    folder = str(recording.furnace.folder.resolve())
    path.with_name(f"folder-{number}.json").write_text(json.dumps(folder))
    draft = path.with_name(f"drawn-{number}.new.npy")
    np.save(draft, drawn)
    draft.replace(path)


def open_windows(folder: Path, numbers: Sequence[int]) -> RecordedWindows:
    """Return the windows that were drawn from some recordings of a plan."""
    found = []
    for number in numbers:
        furnace = open_furnace(Path(json.loads((folder / f"folder-{number}.json").read_text())))
        labels = np.load(folder / f"labels-{number}.npy")
        drawn = np.load(folder / f"drawn-{number}.npy")
        found.append((LabelledRecording(furnace, LabelledTime(), labels), drawn))
    return RecordedWindows(found)
