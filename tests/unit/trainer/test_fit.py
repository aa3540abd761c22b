"""A plant's own recordings go in, an ensemble comes out that a server would load; or one line."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from meltwatch_trainer.__main__ import app
from meltwatch_trainer.data.recorded.runs import RecordedWindows
from meltwatch_trainer.errors import (
    LabelError,
    RecordingError,
    RepositoryError,
    TooFewError,
    TrainerError,
)
from meltwatch_trainer.fit import commands
from meltwatch_trainer.fit.compared import compare_ensembles
from meltwatch_trainer.fit.options import CompareOptions
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.judge.study_rows import BEFORE
from meltwatch_trainer.release.model_repository import check_repository
from meltwatch_trainer.train import study_training
from meltwatch_trainer.train.study import SHIPPED
from meltwatch_trainer.train.study_training import TrainingJob

from tests.support.fmf_files import HOT_COLUMNS, HOT_ROWS, write_second_layout
from tests.support.simulated_recording import ORIGIN_NS, SimulatedRecording
from tests.support.source import ROOT

SERVED = ROOT / "triton_models/repository"
PLANT = SimulatedRecording(("plant/one", "plant/two"))
QUICK = ("--preset", "small", "--epochs", "1", "--every", "4", "--no-setpoint", "--workers", "1")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written where the tests are started, nor where a user keeps things."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording, below a folder whose name has a space, and its labels."""
    root = tmp_path_factory.mktemp("my plant")
    PLANT.write(root / "kept")
    PLANT.write_labels(root / "labels.csv")
    return root


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what was read once is not read again."""
    return tmp_path_factory.mktemp("work")


class Killed(BaseException):
    """Nothing handles it, as nothing handles a kill."""


def fit(*arguments: object) -> None:
    """Run the command; what it raises, this raises."""
    app(["fit", *map(str, arguments), "--device", "cpu"], result_action="return_value")


def own(plant: Path) -> tuple[object, ...]:
    return ("--recordings", plant / "kept", "--labels", plant / "labels.csv")


@pytest.fixture(scope="module")
def fitted(plant: Path, work: Path) -> Path:
    fit(*own(plant), *QUICK, "--work", work, "--to", plant / "out")
    return plant / "out"


def test_own_recordings_make_an_ensemble_that_answers_under_its_digest(fitted: Path) -> None:
    digest = check_repository(fitted / "repository")
    figures = json.loads((fitted / "evaluation.json").read_text())
    assert figures["digest"] == digest
    assert figures["simulated"] is False
    left_out = figures["sets"]["left out"]
    assert left_out["faults"] == len(PLANT.labels())
    assert set(left_out["rows"]) >= {"ensemble", "currents_lost", "video_lost", *SHIPPED}
    assert figures["windows"]["ensemble"].keys() == {"accuracy", "F1", "FDR", "MDR"}
    card = (fitted / "card.md").read_text()
    assert digest in card
    assert "kept: plant/one" in card
    clips = np.zeros((1, 10, 64, 64, 3), dtype=np.uint8)
    currents = np.full((1, 240, 3), 6500, dtype=np.float32)
    ensemble = ServedEnsemble(fitted / "repository", SHIPPED)
    assert np.isfinite(ensemble.logits(clips, currents, "both")).all()


def test_no_set_point_stands_where_none_was_claimed(fitted: Path) -> None:
    assert not (fitted / "setpoint.yaml").exists()
    assert "none was asked for" in (fitted / "card.md").read_text()


def test_a_killed_fit_goes_on_to_the_same_ensemble(
    fitted: Path, plant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = []

    def die_at_the_fourth(path: Path, content: object) -> None:
        if len(finished) == 3:
            raise Killed
        finished.append(path)
        written(path, content)

    written = study_training.write_atomically
    asked = (*own(plant), *QUICK, "--work", tmp_path, "--to", tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(study_training, "write_atomically", die_at_the_fourth)
        with pytest.raises(Killed):
            fit(*asked)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pt")}
    assert len(before) == 3
    fit(*asked)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for name in ("evaluation.json", "card.md"):
        assert (tmp_path / "out" / name).read_bytes() == (fitted / name).read_bytes()


def test_a_member_judges_no_recording_that_it_has_learned_from(
    plant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(jobs: Sequence[TrainingJob], *_: object) -> None:
        for job in jobs:
            windows = job.open_windows()
            assert isinstance(windows, RecordedWindows)
            learnt[job.folder.name] = windows
        raise Killed

    learnt: dict[str, RecordedWindows] = {}
    monkeypatch.setattr(commands, "train_study", stop)
    with pytest.raises(Killed):
        fit(*own(plant), *QUICK, "--work", tmp_path, "--to", tmp_path / "out")
    assert learnt.keys() == {"all", "without-0", "without-1"}
    first, second = (_seen_in(learnt[part], learnt["all"]) for part in ("without-1", "without-0"))
    assert first == set(range(len(first)))
    assert second == set(range(len(first), len(learnt["all"])))


def _seen_in(some: RecordedWindows, every: RecordedWindows) -> set[int]:
    """Return which of all windows are among some, by what their meters said."""
    told = [windows.take("currents", np.arange(len(windows))) for windows in (some, every)]
    known = {currents.tobytes() for currents in told[0]}
    return {number for number, currents in enumerate(told[1]) if currents.tobytes() in known}


def benchmark(folder: Path, name: str, hot: slice) -> None:
    """Write a recording whose pictures have a spot in some frames only."""
    write_second_layout(folder, name, frames=4750)
    with h5py.File(folder / "videos" / f"{name}.mat", "r+") as file:
        file["label"][:] = 0
        file["label"][hot, HOT_COLUMNS, HOT_ROWS] = 255
        file["data"][hot, 0, HOT_COLUMNS, HOT_ROWS] = 255


def test_recordings_of_the_benchmarks_form_bring_their_own_truth(tmp_path: Path) -> None:
    data = tmp_path / "pixel-level"
    benchmark(data, "batch-1", slice(4000, 4300))
    benchmark(data, "batch-2", slice(3900, 4100))
    fit("--recordings", tmp_path, *QUICK, "--work", tmp_path / "work", "--to", tmp_path / "out")
    check_repository(tmp_path / "out" / "repository")
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    left_out = figures["sets"]["left out"]
    assert left_out["faults"] == 2
    assert left_out["rows"]["ensemble"]["iou"] is not None


def labels(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("furnace,start,end,verdict", *rows)) + "\n")
    return path


def at(seconds: float) -> str:
    """Return a time of the recording as a label has it."""
    whole = np.datetime64(ORIGIN_NS, "ns") + np.timedelta64(round(seconds * 1000), "ms")
    return f"{np.datetime_as_string(whole, 'ms')}Z"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((f"plant/three,{at(10)},{at(60)},true_alarm",), "label 1, .*expected a furnace of the"),
        ((f"plant/one,{at(9000)},{at(9060)},true_alarm",), "expected a time within a recording"),
        ((f"plant/one,{at(250)},{at(900)},true_alarm",), "expected a time within .*cuts it"),
        (
            (
                f"plant/one,{at(10)},{at(60)},true_alarm",
                f"plant/one,{at(50)},{at(90)},true_alarm",
            ),
            "expected labels that do not overlap.*joins them",
        ),
        (
            (
                f"plant/one,{at(10)},{at(60)},true_alarm",
                f"plant/one,{at(50)},{at(90)},false_alarm",
            ),
            "expected one verdict for a time",
        ),
        ((f"plant/one,{at(10)[:-1]},{at(60)},true_alarm",), "label 1: start"),
        ((f"plant/one,{at(60)},{at(10)},true_alarm",), "expected start before end"),
        ((f"plant/one,{at(10)},{at(60)},perhaps",), "label 1: verdict"),
        (("plant/one,10",), "another number of cells"),
    ],
)
def test_a_label_that_does_not_fit_is_refused_in_one_line(
    plant: Path, work: Path, tmp_path: Path, rows: tuple[str, ...], expected: str
) -> None:
    file = labels(tmp_path / "wrong.csv", *rows)
    with pytest.raises(LabelError, match=expected) as refusal:
        fit("--recordings", plant / "kept", "--labels", file, *QUICK, "--work", work)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("rows", "options", "expected"),
    [
        ((), ("--no-setpoint",), "expected a labelled fault in what is left to learn from"),
        (
            (f"plant/one,{at(10)},{at(60)},true_alarm",),
            ("--no-setpoint",),
            "without kept: plant/one: expected a labelled fault",
        ),
        (
            (
                f"plant/one,{at(10)},{at(60)},true_alarm",
                f"plant/two,{at(10)},{at(60)},true_alarm",
            ),
            (),
            "--budget 0.75: expected 32 hours of normal operation or more.*--no-setpoint",
        ),
        (
            (f"plant/one,{at(10)},{at(60)},true_alarm",),
            ("--folds", "3", "--no-setpoint"),
            "--folds: expected 2 to 2",
        ),
    ],
)
def test_too_little_for_what_is_claimed_is_refused_with_the_reason(
    plant: Path,
    work: Path,
    tmp_path: Path,
    rows: tuple[str, ...],
    options: tuple[str, ...],
    expected: str,
) -> None:
    file = labels(tmp_path / "few.csv", *rows)
    with pytest.raises(TooFewError, match=expected):
        fit("--recordings", plant / "kept", "--labels", file, *options, "--work", work)


def test_one_recording_cannot_be_left_out(plant: Path, tmp_path: Path) -> None:
    lonely = SimulatedRecording(("plant/one",), minutes=1.0)
    lonely.write(tmp_path / "kept")
    file = labels(tmp_path / "none.csv")
    with pytest.raises(TooFewError, match="two recordings or more"):
        fit("--recordings", tmp_path / "kept", "--labels", file, "--work", tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "kept")
    with pytest.raises(RecordingError, match="each folder once"):
        fit("--recordings", tmp_path / "kept", tmp_path / "again", "--labels", file)
    lonely.write(tmp_path / "copy")
    with pytest.raises(LabelError, match="expected recordings of different times of plant/one"):
        fit(
            *("--recordings", tmp_path / "kept", tmp_path / "copy"),
            *("--labels", file, "--work", tmp_path),
        )


def _cut(segment: Path) -> None:
    segment.write_bytes(segment.read_bytes()[:-7])


def _changed(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [(_cut, "expected .* bytes, got"), (_changed, "expected SHA-256"), (Path.unlink, "a segment")],
)
def test_a_broken_recording_is_refused_with_the_file(
    plant: Path, tmp_path: Path, spoil: Callable[[Path], None], expected: str
) -> None:
    recording = SimulatedRecording(("plant/one",), minutes=0.2)
    recording.write(tmp_path / "kept")
    segment = max((tmp_path / "kept").rglob("*.segment"))
    spoil(segment)
    with pytest.raises(RecordingError, match=expected) as refusal:
        fit(
            *("--recordings", tmp_path / "kept", "--labels", plant / "labels.csv"),
            *("--work", tmp_path, "--workers", "1"),
        )
    assert segment.name in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_no_recording_at_all_is_refused(plant: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordingError, match=r"manifest\.json.*FMF-Benchmark.*got neither"):
        fit("--recordings", tmp_path / "empty", "--labels", plant / "labels.csv")
    with pytest.raises(RecordingError, match="expected a folder with a recording, got none"):
        fit("--recordings", tmp_path / "nowhere", "--labels", plant / "labels.csv")
    with pytest.raises(LabelError, match="--labels: expected a file"):
        fit("--recordings", plant / "kept", "--work", tmp_path)
    with pytest.raises(LabelError, match="No such file"):
        fit("--recordings", plant / "kept", "--labels", tmp_path / "nowhere", "--work", tmp_path)
    with pytest.raises(TrainerError, match=r"--to .*: expected a new folder"):
        fit(*own(plant), "--to", plant)
    with pytest.raises(TrainerError, match=r"--to .*: expected a folder: Not a directory"):
        fit(*own(plant), "--to", plant / "labels.csv")


def test_a_byte_order_mark_and_time_zones_are_read(plant: Path, work: Path, tmp_path: Path) -> None:
    file = tmp_path / "excel.csv"
    start = at(10).replace("Z", "+00:00")
    row = f"plant/one,{start},{at(60)},true_alarm"
    file.write_text(f"\ufefffurnace,start,end,verdict\n{row}\n")
    with pytest.raises(TooFewError, match="without kept: plant/one"):
        fit("--recordings", plant / "kept", "--labels", file, *QUICK, "--work", work)


def test_labels_that_do_not_fit_are_repaired_where_that_is_asked_for(
    plant: Path, work: Path, tmp_path: Path
) -> None:
    rows = (
        f"plant/three,{at(10)},{at(60)},true_alarm",
        f"plant/one,{at(9000)},{at(9060)},true_alarm",
        f"plant/one,{at(50)},{at(90)},true_alarm",
        f"plant/one,{at(80)},{at(900)},true_alarm",
    )
    file = labels(tmp_path / "all.csv", *rows)
    with pytest.raises(TooFewError, match="without kept: plant/one"):
        fit(
            *("--recordings", plant / "kept", "--labels", file),
            *(*QUICK, "--repair", "labels", "--work", work),
        )


def test_two_exported_ensembles_are_compared_on_the_same_windows(
    plant: Path, work: Path, fitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One epoch of two furnaces has taught little: the shipped ensemble knows such furnaces."""
    options = CompareOptions(
        repository=SERVED,
        beside=fitted / "repository",
        recordings=[plant / "kept"],
        labels=plant / "labels.csv",
        every=4,
        work=work,
        workers=1,
    )
    (one,) = compare_ensembles(options).sets
    told = capsys.readouterr().out
    assert "better than" in told
    assert [line.count("|") for line in told.splitlines()].count(9) == 2 + 2 + 3, "a table"
    swapped = replace(options, repository=options.beside, beside=options.repository)
    (other,) = compare_ensembles(swapped).sets
    assert "worse than" in capsys.readouterr().out
    gained, lost = (each.differences[BEFORE]["auroc"] for each in (one, other))
    assert gained.value == pytest.approx(-lost.value)
    assert gained.low > 0
    by_title = [
        {row.title: row.figures["auroc"][0] for row in each.judged} for each in (one, other)
    ]
    assert by_title[0] == by_title[1], "who is judged and who stands beside it changes no figure"


def test_an_ensemble_is_not_compared_with_itself(plant: Path, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"--beside .*the same digest"):
        app(
            [
                *("compare", "--repository", str(SERVED), "--beside", str(SERVED)),
                *map(str, own(plant)),
                *("--work", str(tmp_path)),
            ],
            result_action="return_value",
        )


def test_a_repository_that_is_none_is_refused_before_anything_is_read(
    plant: Path, tmp_path: Path
) -> None:
    with pytest.raises(RepositoryError):
        app(
            [
                *("compare", "--repository", str(tmp_path), "--beside", str(SERVED)),
                *map(str, own(plant)),
            ],
            result_action="return_value",
        )
