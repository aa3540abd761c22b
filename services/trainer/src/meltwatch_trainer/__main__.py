"""The trainer's command line; ``meltwatch-trainer --help`` lists its commands.

What only some commands need is imported by them: a machine that simulates, trains and scores needs
neither ONNX Runtime nor HDF5.
"""
# ruff: noqa: PLC0415 - see above

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console

from meltwatch_trainer.benchmark.windows import ClipSpec, LoaderRule
from meltwatch_trainer.data.run_sets import RUN_SETS
from meltwatch_trainer.errors import TrainerError, TrialError
from meltwatch_trainer.expert.options import ExpertOptions
from meltwatch_trainer.fit.options import CompareOptions, FitOptions
from meltwatch_trainer.rivals.options import RivalOptions
from meltwatch_trainer.settings import Settings
from meltwatch_trainer.study_commands import StudyOptions
from meltwatch_trainer.train.study import SHIPPED, STUDY
from meltwatch_trainer.unseen.options import UnseenOptions

app = App(
    "meltwatch-trainer",
    "Train Meltwatch's models.",
    version_flags=[],
    help_flags=["--help"],
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
)
console = Console(stderr=True)

DEFAULT_REPOSITORY = Path("triton_models/repository")
DEFAULT_REFERENCE = Path("tests/contract/models/reference.npz")

USUAL = StudyOptions()
USUAL_EXPERT = ExpertOptions()
USUAL_UNSEEN = UnseenOptions()
USUAL_RIVALS = RivalOptions()

Repository = Annotated[Path, Parameter(help="Triton's model repository.")]
Reference = Annotated[Path, Parameter(help="Frozen windows and answers.")]
Weights = Annotated[
    Path | None,
    Parameter(
        help="File of published FmFormer weights (.safetensors, .pth), to export in place of the "
        "trained members."
    ),
]
Seeds = Annotated[int, Parameter(help="Demo seeds and held-out furnaces to verify on.")]
Only = Annotated[list[str] | None, Parameter(help="This one alone; may be given again.")]
Repeat = Annotated[
    int,
    Parameter(
        validator=Number(gte=0), help="Above 0: once more, trained with other random numbers."
    ),
]
Loader = Annotated[
    LoaderRule, Parameter(help="Windows of recordings: causal, or with the published quirks.")
]


@app.command(name="simulate")
def simulate(*, options: StudyOptions = USUAL) -> None:
    """Simulate the windows to learn from."""
    options.study().simulate()


@app.command(name="train")
def train(
    *,
    options: StudyOptions = USUAL,
    only: Only = None,
    data: Annotated[
        Path | None,
        Parameter(help="Recordings of the FMF-Benchmark, to learn from in place of simulation."),
    ] = None,
    preset: Annotated[
        str, Parameter(help="With --data: fmformer-b, -l, -s, -t or -tiny.")
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
        settings = options.study().settings
        print(f"wrote {train_published(run, preset, settings.seed, settings.work, console)}")
        return
    names = _known(only, [model.name for model in STUDY])
    study = options.study().repeated(repeat)
    study.train([model for model in study.unfinished() if model.name in names])


@app.command(name="score")
def score(*, options: StudyOptions = USUAL, only: Only = None, repeat: Repeat = 0) -> None:
    """Score whole runs of furnaces that no model has learned from, with every finished model."""
    options.study().repeated(repeat).score_runs(_known(only, list(RUN_SETS)))


@app.command(name="export")
def export(
    *,
    options: StudyOptions = USUAL,
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

    settings = options.study().settings
    _refuse_trial(settings, repository, reference)
    export_study(settings, repository, reference)


@app.command(name="judge")
def judge(*, options: StudyOptions = USUAL, repository: Repository = DEFAULT_REPOSITORY) -> None:
    """Judge everything that was scored: tables and figures of docs/models.md."""
    from meltwatch_trainer.release.commands import judge_study

    judge_study(options.study().settings, repository)


@app.command(name="repeats")
def repeats(*, options: StudyOptions = USUAL) -> None:
    """Hold the study against its repetitions (--repeat 1, 2, …): a table of docs/models.md."""
    from meltwatch_trainer.release.commands import compare_repeats

    compare_repeats(options.study().settings)


@app.command(name="verify")
def verify(
    *,
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    seeds: Seeds = 30,
) -> int:
    """Check files and answers, then demo runs and hours of operation; exit 1 if not good."""
    from meltwatch_trainer.release.commands import verify_repository

    return 0 if verify_repository(repository, reference, seeds, console) else 1


@app.command(name="all")
def everything(
    *,
    options: StudyOptions = USUAL,
    repository: Repository = DEFAULT_REPOSITORY,
    reference: Reference = DEFAULT_REFERENCE,
    seeds: Seeds = 30,
) -> int:
    """Do every step in order: from seeds to a proven repository and its judgement."""
    study = options.study()
    _refuse_trial(study.settings, repository, reference)
    study.announce()
    if unfinished := study.unfinished():
        study.simulate()
        study.train(unfinished)
    study.score_runs(list(RUN_SETS))
    export(options=options, repository=repository, reference=reference)
    judge(options=options, repository=repository)
    return verify(repository=repository, reference=reference, seeds=seeds)


@app.command(name="fit")
def fit(*, options: FitOptions) -> None:
    """Train, judge and export on a plant's own recordings; goes on where a killed run stopped.

    Each recording is judged by members that have not learned from it.
    """
    from meltwatch_trainer.fit.commands import fit_recordings

    fit_recordings(options)


@app.command(name="compare")
def compare(*, options: CompareOptions) -> None:
    """Judge two exported ensembles on labelled recordings that neither has learned from."""
    from meltwatch_trainer.fit.compared import compare_ensembles

    compare_ensembles(options)


@app.command(name="parity")
def parity(file: Annotated[Path, Parameter(help="Golden outputs (.npz) with seeds.")], /) -> int:
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
    return 0 if faithful else 1


@app.command(name="evaluate")
def evaluate_command(
    *,
    data: Annotated[Path, Parameter(help="Recordings of the FMF-Benchmark.")],
    weights: Annotated[Path, Parameter(help="Published FmFormer (.safetensors, .pth).")],
    split: Annotated[str, Parameter(help="train or test.")] = "test",
    loader: Loader = LoaderRule.CAUSAL,
    stride: Annotated[
        int, Parameter(validator=Number(gte=1), help="Frames from one of a clip to the next.")
    ] = 18,
    every: Annotated[
        int, Parameter(validator=Number(gte=1), help="Judge each n-th window alone.")
    ] = 1,
) -> None:
    """Judge weights on recordings by the paper's metrics, beside the paper's figures."""
    from meltwatch_trainer.benchmark.commands import BenchmarkRun, judge_published

    run = BenchmarkRun(data, ClipSpec(stride=stride, rule=loader))
    Console().print(judge_published(run, weights, split, every, console))


@app.command(name="unseen")
def unseen(*, options: UnseenOptions = USUAL_UNSEEN) -> None:
    """Show what portraits without labels find of events that nothing was taught."""
    from meltwatch_trainer.train.progress import shown_steps
    from meltwatch_trainer.unseen.happenings import JUDGED_SETS, UNSEEN_SETS
    from meltwatch_trainer.unseen.unseen_commands import judged_sets, window_cost

    usual = [each.name for each in JUDGED_SETS]
    chosen = [UNSEEN_SETS[name] for name in _known(options.sets or usual, [*UNSEEN_SETS], "--set")]
    for judged in judged_sets(options, chosen, partial(shown_steps, console=console)):
        print(judged.tables, flush=True)
        if options.to is not None:
            print(f"wrote {judged.write(options.to)}")
    print(window_cost().line)


@app.command(name="expert")
def expert(
    *, options: ExpertOptions = USUAL_EXPERT, repository: Repository = DEFAULT_REPOSITORY
) -> None:
    """Show what experts on currents alone add to the served ensemble."""
    from meltwatch_trainer.expert.commands import ExpertStudy
    from meltwatch_trainer.judge.expert_verdict import expert_tables
    from meltwatch_trainer.train.progress import shown_steps

    study = ExpertStudy(options, repository, partial(shown_steps, console=console))
    print(expert_tables(study.verdict()))


@app.command(name="rivals")
def rivals(*, options: RivalOptions = USUAL_RIVALS) -> None:
    """Show what other works add to a portrait, also where currents predict the picture.

    Goes on where a killed run stopped.
    """
    from meltwatch_trainer.rivals.rival_commands import judged_rivals
    from meltwatch_trainer.train.progress import shown_steps

    for judged in judged_rivals(options, partial(shown_steps, console=console)):
        print(judged.tables, flush=True)
        if options.to is not None:
            print(f"wrote {judged.write(options.to)}")


@app.command(name="gallery")
def gallery(
    *,
    to: Annotated[Path, Parameter(help="PNG file to write.")] = Path(
        "docs/images/simulator-gallery.png"
    ),
    seed: Annotated[int, Parameter(help="Seed of the furnaces that are drawn.")] = 7,
    furnaces: Annotated[int, Parameter(help="Rows of the gallery.")] = 6,
) -> None:
    """Draw what the simulated furnaces look like."""
    from meltwatch_trainer.data.gallery import draw_gallery

    draw_gallery(to, seed, furnaces)
    print(f"wrote {to}")


@app.command(name="spot")
def spot(
    *,
    to: Annotated[Path, Parameter(help="PNG file to write.")] = Path("docs/images/spot.png"),
    seed: Annotated[int, Parameter(help="Seed of the furnace that is drawn.")] = 7,
    furnace: Annotated[str, Parameter(help="Its name.")] = "gallery/furnace-2",
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


def _known(asked: list[str] | None, names: list[str], option: str = "--only") -> list[str]:
    """Return the names asked for, by default all."""
    if unknown := set(asked or ()) - set(names):
        raise TrainerError(
            f"{option}: expected {', '.join(names)}, got {', '.join(sorted(unknown))}"
        )
    return asked or names


def main() -> None:
    """Run the command line; an expected error is one line and exit code 2."""
    try:
        app(sys.argv[1:])
    except TrainerError as error:
        print(f"meltwatch-trainer: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
