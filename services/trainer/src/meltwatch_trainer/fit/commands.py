"""``meltwatch-trainer fit``: its steps in their order."""

import json
import resource
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

import torch
from meltwatch_chassis.terminal import print_line
from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.window import NS_PER_S, PUBLISHED_SPEC
from rich.console import Console

from meltwatch_trainer.data.recorded.enough import HOUR_S, RecordingSize, check_enough, left_out
from meltwatch_trainer.data.recorded.runs import LabelledRecording
from meltwatch_trainer.errors import RecordingError, TrainerError
from meltwatch_trainer.fit.card import gain_line, setpoint_line
from meltwatch_trainer.fit.options import FitOptions
from meltwatch_trainer.fit.plan import PRESETS, FitPlan, models_of, planned
from meltwatch_trainer.fit.prepared import read_recordings, sources_of, with_labels
from meltwatch_trainer.fit.results import OUTPUTS, FitResult, write_results
from meltwatch_trainer.fit.scored import score_left_out
from meltwatch_trainer.release.digest import files_digest
from meltwatch_trainer.release.served_weights import served_weights
from meltwatch_trainer.settings import default_work_folder, processors
from meltwatch_trainer.study_commands import chosen_device
from meltwatch_trainer.train.progress import shown_steps, shown_trainings
from meltwatch_trainer.train.study import SHIPPED, study_model
from meltwatch_trainer.train.study_training import train_study
from meltwatch_trainer.train.trained import weights_path
from meltwatch_trainer.train.training import write_atomically

LEARNT_S: Final = 0.02
"""Of a processor, for a window to learn from."""
KIB_PER_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a fit works."""

    root: Path
    device: torch.device
    workers: int
    console: Console


def fit_recordings(options: FitOptions) -> FitResult:
    """Do every step, going on where an earlier start was stopped."""
    place = _Place(
        root=(options.work or default_work_folder()) / "fit",
        device=chosen_device(options.device),
        workers=options.workers or processors(),
        console=Console(stderr=True),
    )
    _check_target(options.to)
    _make_folders(place.root)
    recordings = _recordings(options, place)
    sizes = [recording.size() for recording in recordings]
    preset = PRESETS[options.preset]
    folds = preset.left_out(len(recordings)) if options.folds is None else options.folds
    groups = left_out(len(recordings), folds)
    budget = None if options.no_setpoint else options.budget
    check_enough(sizes, groups, budget)
    _make_folders(options.to)
    begin = _begin(options.continue_from, place.root)
    models = models_of(preset, options.seed, options.epochs, begin)
    plan = planned(place.root / "plans", recordings, groups, models, options.seed)
    costs = Costs(plan.folder / "costs.json")
    _announce(plan, sizes, place)
    with costs.of_step("train"), shown_trainings(place.console) as show:
        jobs = plan.jobs()
        train_study(jobs, place.device, max(1, min(place.workers, len(jobs))), show)
    with costs.of_step("score"), shown_steps("recordings to score", place.console) as advance:
        scores = score_left_out(
            plan, options.every or preset.every, place.device, place.workers, advance
        )
    with costs.of_step("judge and export"):
        result = write_results(plan, scores, sizes, budget, options.to)
    print_line(f"wrote {options.to}, digest {result.digest}")
    if gain := gain_line(result.verdict):
        print_line(gain)
    print_line(f"set-point: {setpoint_line(result.verdict, result.refusal)}")
    print_line(f"cost: {costs.line()}")
    return result


def _check_target(folder: Path) -> None:
    """Refuse a target that holds anything else: the shipped repository among others."""
    try:
        found = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except OSError as error:
        raise TrainerError(f"--to {folder}: expected a folder: {error.strerror}") from error
    if others := found - set(OUTPUTS):
        raise TrainerError(
            f"--to {folder}: expected a new folder, or that of an earlier fit, got one with "
            f"{min(others)}"
        )


def _make_folders(*folders: Path) -> None:
    """Make them before hours are spent, not after."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainerError(
                f"{folder}: expected a folder to write into: {error.strerror}"
            ) from error


def _recordings(options: FitOptions, place: _Place) -> list[LabelledRecording]:
    repairs = options.repair or []
    sources = sources_of(options.recordings, repairs)
    with shown_steps("recordings to read", place.console) as show:
        furnaces = read_recordings(sources, place.root / "recorded", place.workers, show)
    if not furnaces:
        raise RecordingError(
            "--recordings: expected windows with both modalities, got none: they need 120 s of "
            "currents before them"
        )
    found = with_labels(furnaces, options.labels, repairs)
    for recording in found:
        if not recording.stretches():
            print_line(f"left out {recording.furnace.name}: no half minute of it is whole")
    return [recording for recording in found if recording.stretches()]


def _begin(repository: Path | None, root: Path) -> Path | None:
    """Return the folder of the weights that a repository serves, written once."""
    if repository is None:
        return None
    files = {name: (repository / f"fmformer_member_{name}/1/model.onnx") for name in SHIPPED}
    missing = [str(path) for path in files.values() if not path.is_file()]
    if missing:
        raise TrainerError(f"--continue-from: expected members a, b and c, found no {missing[0]}")
    digest = files_digest({name: path.read_bytes() for name, path in files.items()})
    folder = root / "begin" / digest[:12]
    for name in SHIPPED:
        path = weights_path(folder, name)
        if not path.exists():
            write_atomically(path, served_weights(repository, study_model(name)))
    return folder


def _announce(plan: FitPlan, sizes: list[RecordingSize], place: _Place) -> None:
    jobs = plan.jobs()
    seen = sum(job.model.plan.windows_seen for job in jobs)
    hours = seen * LEARNT_S / min(place.workers, max(1, len(jobs))) / HOUR_S
    normal = sum(size.normal_s for size in sizes) / HOUR_S
    windows = sum(len(recording.labels) for recording in plan.recordings)
    watched = windows * PUBLISHED_SPEC.hop_ns / NS_PER_S / HOUR_S
    print_line(
        f"{len(sizes)} recordings, {watched:.1f} h, of which {normal:.1f} h normal, with "
        f"{sum(size.faults for size in sizes)} faults; left out in {len(plan.groups)} groups"
    )
    furnaces = Counter(recording.furnace.furnace_id for recording in plan.recordings)
    if twice := [name for name, count in furnaces.items() if count > 1]:
        print_line(
            f"{', '.join(twice)}: in several recordings, so these figures tell how well a known "
            f"furnace is judged"
        )
    without_gpu = f", roughly {hours:.1f} h without a GPU" if place.device.type == "cpu" else ""
    print_line(f"{len(jobs)} trainings left, {seen:,} windows to see{without_gpu}")


class Costs:
    """Counts, in a file that the next start goes on with.

    Parameters
    ----------
    file
        Where the counts lie.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds: dict[str, float] = {}
        self._peak_mib = 0
        if file.exists():
            try:
                told = json.loads(file.read_text())
                self._seconds, self._peak_mib = dict(told["seconds"]), int(told["peak_mib"])
            except (OSError, ValueError, LookupError, TypeError) as error:
                raise TrainerError(
                    f"{file}: expected what an earlier fit cost, got {error}; delete it"
                ) from error

    @contextmanager
    def of_step(self, step: str) -> Iterator[None]:
        """Count a step, also one that is interrupted."""
        begun_s = monotonic()
        try:
            yield
        finally:
            self._seconds[step] = self._seconds.get(step, 0.0) + monotonic() - begun_s
            who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
            peak = max(resource.getrusage(each).ru_maxrss for each in who) // KIB_PER_MIB
            self._peak_mib = max(self._peak_mib, peak)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            told = {"seconds": self._seconds, "peak_mib": self._peak_mib}
            write_whole(self._file, json.dumps(told, indent=1))

    def line(self) -> str:
        """Return them as one line for people."""
        steps = ", ".join(f"{seconds:.0f} s to {step}" for step, seconds in self._seconds.items())
        return f"{steps}; {self._peak_mib} MiB at most in one process"
