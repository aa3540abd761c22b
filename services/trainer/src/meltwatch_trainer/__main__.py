"""The trainer's command line; ``meltwatch-trainer --help`` lists its commands.

What only some commands need is imported by them: a machine that simulates, trains and scores needs
neither ONNX Runtime nor HDF5.
"""
# ruff: noqa: PLC0415 - see above

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from meltwatch_trainer.benchmark.windows import ClipSpec, LoaderRule
from meltwatch_trainer.data.run_sets import RUN_SETS
from meltwatch_trainer.errors import TrainerError, TrialError
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.study_commands import Study, study_command
from meltwatch_trainer.train.study import SHIPPED, STUDY

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train Meltwatch's models.")
console = Console(stderr=True)

DEFAULT_REPOSITORY = Path("triton_models/repository")
DEFAULT_REFERENCE = Path("tests/contract/models/reference.npz")

Repository = Annotated[Path, typer.Option(help="Triton's model repository.")]
Reference = Annotated[Path, typer.Option(help="Frozen windows and answers.")]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="File of published FmFormer weights (.safetensors, .pth), to export in place of the "
        "trained members."
    ),
]
Seeds = Annotated[int, typer.Option(help="Demo seeds and held-out furnaces to verify on.")]
Only = Annotated[list[str] | None, typer.Option(help="This one alone; may be given again.")]
Repeat = Annotated[
    int, typer.Option(min=0, help="Above 0: once more, trained with other random numbers.")
]
Loader = Annotated[
    LoaderRule, typer.Option(help="Windows of recordings: causal, or with the published quirks.")
]


@study_command(app, "simulate")
def simulate(study: Study) -> None:
    """Simulate the windows to learn from."""
    study.simulate()


@study_command(app, "train")
def train(
    study: Study,
    only: Only = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Recordings of the FMF-Benchmark, to learn from in place of simulation."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="With --data: fmformer-b, -l, -s, -t or -tiny.")
    ] = "fmformer-b",
    loader: Loader = LoaderRule.CAUSAL,
    repeat: Repeat = 0,
) -> None:
    """Train the models of the study on simulated windows, or the published network on --data.

    Goes on where a killed run stopped.
    """
    if data is not None:
        from meltwatch_trainer.benchmark.commands import BenchmarkRun, train_published

        run = BenchmarkRun(data, ClipSpec(rule=loader))
        settings = study.settings
        print(f"wrote {train_published(run, preset, settings.seed, settings.work, console)}")
        return
    names = _known(only, [model.name for model in STUDY])
    study = study.repeated(repeat)
    study.train([model for model in study.unfinished() if model.name in names])


@study_command(app, "score")
def score(study: Study, only: Only = None, repeat: Repeat = 0) -> None:
    """Score whole runs of furnaces that no model has learned from, with every finished model."""
    study.repeated(repeat).score_runs(_known(only, list(RUN_SETS)))


@study_command(app, "export")
def export(
    study: Study,
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    weights: Weights = None,
) -> None:
    """Calibrate the trained members and write the model repository, or write given weights."""
    if weights is not None:
        from meltwatch_trainer.release.commands import export_weights

        print(f"wrote {repository}, digest {export_weights(weights, repository)}")
        return
    from meltwatch_trainer.release.commands import export_study

    _refuse_trial(study.settings, repository, reference)
    export_study(study.settings, repository, reference)


@study_command(app, "judge")
def judge(study: Study, repository: Repository = DEFAULT_REPOSITORY) -> None:
    """Judge everything that was scored: tables and figures of docs/models.md."""
    from meltwatch_trainer.release.commands import judge_study

    judge_study(study.settings, repository)


@study_command(app, "repeats")
def repeats(study: Study) -> None:
    """Hold the study against its repetitions (--repeat 1, 2, …): a table of docs/models.md."""
    from meltwatch_trainer.release.commands import compare_repeats

    compare_repeats(study.settings)


@app.command("verify")
def verify(
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    seeds: Seeds = 30,
) -> None:
    """Check files and answers, then demo runs and hours of operation; exit 1 if not good."""
    from meltwatch_trainer.release.commands import verify_repository

    if not verify_repository(repository, reference, seeds, console):
        raise typer.Exit(1)


@study_command(app, "all")
def everything(
    study: Study,
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    seeds: Seeds = 30,
) -> None:
    """Do every step in order: from seeds to a proven repository and its judgement."""
    _refuse_trial(study.settings, repository, reference)
    study.announce()
    if unfinished := study.unfinished():
        study.simulate()
        study.train(unfinished)
    study.score_runs(list(RUN_SETS))
    export(study, repository, reference)
    judge(study, repository)
    verify(repository, reference, seeds)


@app.command("parity")
def parity(file: Annotated[Path, typer.Argument(help="Golden outputs (.npz) with seeds.")]) -> None:
    """Hold the published network against golden outputs; exit 1 above the tolerance."""
    from meltwatch_trainer.benchmark.parity import TOLERANCE, measure_file

    measured = measure_file(file)
    print(f"{'largest difference':20}{'PyTorch':>10}{'ONNX':>10}")
    faithful = True
    for row in measured:
        print(f"{row.output:20}{row.pytorch:10.1e}{row.onnx:10.1e}", flush=True)
        faithful &= row.holds
    if not faithful:
        print(f"not faithful: expected every difference within {TOLERANCE:g}", file=sys.stderr)
        raise typer.Exit(1)


@app.command("evaluate")
def evaluate_command(
    data: Annotated[Path, typer.Option(help="Recordings of the FMF-Benchmark.")],
    weights: Annotated[Path, typer.Option(help="Published FmFormer (.safetensors, .pth).")],
    split: Annotated[str, typer.Option(help="train or test.")] = "test",
    loader: Loader = LoaderRule.CAUSAL,
    stride: Annotated[int, typer.Option(min=1, help="Frames from one of a clip to the next.")] = 18,
    every: Annotated[int, typer.Option(min=1, help="Judge each n-th window alone.")] = 1,
) -> None:
    """Judge weights on recordings by the paper's metrics, beside the paper's figures."""
    from meltwatch_trainer.benchmark.commands import BenchmarkRun, judge_published

    run = BenchmarkRun(data, ClipSpec(stride=stride, rule=loader))
    Console().print(judge_published(run, weights, split, every, console))


@app.command("gallery")
def gallery(
    to: Annotated[Path, typer.Option(help="PNG file to write.")] = Path(
        "docs/images/simulator-gallery.png"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the furnaces that are drawn.")] = 7,
    furnaces: Annotated[int, typer.Option(help="Rows of the gallery.")] = 6,
) -> None:
    """Draw what the simulated furnaces look like."""
    from meltwatch_trainer.data.gallery import draw_gallery

    draw_gallery(to, seed, furnaces)
    print(f"wrote {to}")


@app.command("spot")
def spot(
    to: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("docs/images/spot.png"),
    seed: Annotated[int, typer.Option(help="Seed of the furnace that is drawn.")] = 7,
    furnace: Annotated[str, typer.Option(help="Its name.")] = "gallery/furnace-2",
    repository: Repository = DEFAULT_REPOSITORY,
) -> None:
    """Draw a simulated furnace with the spot as the ensemble outlines it."""
    from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
    from meltwatch_trainer.judge.spot_picture import draw_spot

    draw_spot(to, ServedEnsemble(repository, SHIPPED), seed, furnace)
    print(f"wrote {to}")


def _refuse_trial(settings: Settings, repository: Path, reference: Path) -> None:
    """Refuse to replace what is shipped by a trial."""
    shipped = {DEFAULT_REPOSITORY.resolve(), DEFAULT_REFERENCE.resolve()}
    if settings.is_trial and shipped & {repository.resolve(), reference.resolve()}:
        raise TrialError(
            f"scale {settings.scale:g}: expected another --repository and --reference than the "
            f"shipped ones, got {repository} and {reference}"
        )


def _known(asked: list[str] | None, names: list[str]) -> list[str]:
    """Return the names asked for, by default all."""
    if unknown := set(asked or ()) - set(names):
        raise typer.BadParameter(
            f"--only: expected {', '.join(names)}, got {', '.join(sorted(unknown))}"
        )
    return asked or names


def main() -> None:
    """Run the command line; an expected error is one line and exit code 2."""
    try:
        app()
    except TrainerError as error:
        print(f"meltwatch-trainer: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
