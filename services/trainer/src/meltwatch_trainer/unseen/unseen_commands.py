"""The command that watches, judges and writes the table."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from meltwatch_chassis.whole_file import write_whole
from meltwatch_core.alarms.setpoints.threshold import NoTailError
from meltwatch_core.portraits import (
    PortraitSide,
    current_features,
    follow,
    patch_features,
    raw_novelty,
)
from meltwatch_schemas.window import PUBLISHED_SPEC
from numpy.typing import NDArray

from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.errors import RepositoryError, UnwritableError
from meltwatch_trainer.judge.verdict_tables import interval, table
from meltwatch_trainer.network.model_config import ENSEMBLE
from meltwatch_trainer.unseen.contenders import (
    CURRENTS_ALONE,
    CURRENTS_OF_ONE_MODE,
    VIDEO_ALONE,
    VIDEO_OF_ONE_MODE,
    FurnaceSurprises,
    furnace_surprises,
    portrayed,
)
from meltwatch_trainer.unseen.happenings import (
    OPEN_KINDS,
    SPOT,
    STAYING,
    UNSEEN,
    furnace_with,
    judged_kinds,
)
from meltwatch_trainer.unseen.options import UnseenOptions
from meltwatch_trainer.unseen.unseen_verdict import (
    BUDGET,
    AftermathVerdict,
    ContenderVerdict,
    aftermath_verdict,
    contender_verdict,
)
from meltwatch_trainer.unseen.watching import HOP_S, watch

PORTRAIT: Final = "portrait"
"""Each side by a threshold of its own: the currents' surprises reach less high than the video's."""
SIDES: Final = (VIDEO_ALONE, CURRENTS_ALONE)
TWO_SIDED: Final = {PORTRAIT: SIDES, "one mode": (VIDEO_OF_ONE_MODE, CURRENTS_OF_ONE_MODE)}
_COST_FITTED_S: Final = (0, 3600)
_COST_WINDOWS: Final = 500
ALLOWED_MS: Final = 3.0
"""What is allowed at the 95th percentile."""
Shown = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Shows how many furnaces are done, under a title."""


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """The verdict on one set.

    Attributes
    ----------
    name
        Of the set.
    tables
        For people, in Markdown.
    document
        For programs, JSON.
    """

    name: str
    tables: str
    document: str

    def write(self, folder: Path) -> Path:
        """Write the document whole, or not at all.

        Raises
        ------
        UnwritableError
            If it cannot be written.
        """
        path = folder / f"{self.name}.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(path, self.document + "\n")
        except OSError as error:
            raise UnwritableError(f"--to: expected a folder to write to, got {error}") from error
        return path


def judged_sets(
    options: UnseenOptions, sets: Sequence[RunSet], shown: Shown
) -> Iterator[JudgedSet]:
    """Watch and judge one set after the other.

    Raises
    ------
    RepositoryError
        If there is no repository where one is asked for.
    """
    repository = options.repository
    if repository is not None and not (repository / f"{ENSEMBLE}_decode").is_dir():
        raise RepositoryError(f"--repository: expected a model repository, got {repository}")
    for whole in sets:
        runs = replace(whole, furnaces=min(options.furnaces or whole.furnaces, whole.furnaces))
        with shown(f"furnaces of {runs.name}") as show:
            seen = watch_set(options, runs, show)
        verdicts = judge_set(seen)
        stayed = aftermaths(seen, verdicts)
        yield JudgedSet(
            runs.name,
            unseen_tables(runs, verdicts, stayed),
            unseen_document(verdicts, stayed),
        )


def watch_set(
    options: UnseenOptions, runs: RunSet, progress: Callable[[int, int], None]
) -> tuple[FurnaceSurprises, ...]:
    """Let every contender look at every furnace of a set."""
    found = []
    work = partial(furnace_surprises, options.seed, runs, options.repository)
    progress(0, runs.furnaces)
    for one in in_processes(work, range(runs.furnaces), options.workers):
        found.append(one)
        progress(len(found), runs.furnaces)
    return tuple(found)


def judge_set(seen: Sequence[FurnaceSurprises]) -> dict[str, ContenderVerdict | str]:
    """Judge every contender, or tell why one has no threshold."""
    verdicts: dict[str, ContenderVerdict | str] = {}
    contenders = TWO_SIDED | {name: (name,) for name in seen[0].surprises}
    for name, sides in contenders.items():
        try:
            verdicts[name] = contender_verdict(seen, sides, judged_kinds())
        except NoTailError as error:
            verdicts[name] = str(error)
    return verdicts


def aftermaths(
    seen: Sequence[FurnaceSurprises], verdicts: Mapping[str, ContenderVerdict | str]
) -> dict[str, AftermathVerdict]:
    """Judge what each nuisance that stays did to the portrait."""
    own = verdicts[PORTRAIT]
    if isinstance(own, str):
        return {}
    return {kind: aftermath_verdict(seen, SIDES, own.bases, kind) for kind in STAYING}


def unseen_tables(
    runs: RunSet,
    verdicts: Mapping[str, ContenderVerdict | str],
    stayed: Mapping[str, AftermathVerdict],
) -> str:
    """Return the verdict on a set in Markdown."""
    kinds = judged_kinds()
    rows = []
    for name, verdict in verdicts.items():
        if isinstance(verdict, str):
            rows.append([name, verdict, *[""] * (len(kinds) + 2)])
            continue
        rows.append(
            [
                name,
                " / ".join(f"{basis.logit_on:.2f}" for basis in verdict.bases),
                interval(verdict.false_per_day, 1),
                interval(verdict.mean_recall, 2),
                *(interval(verdict.recall[kind], 2) for kind in kinds),
            ]
        )
    open_kinds = {*OPEN_KINDS, SPOT}
    named = [kind if kind in open_kinds else f"{kind} (closed)" for kind in kinds]
    head = ("contender", "threshold", "false alarms a furnace-day", "mean of the kinds", *named)
    caption = (
        f"**Simulated**: {runs.furnaces} furnaces of the set `{runs.name}`. Fit on hours 0 to 4, "
        f"threshold from hours 4 to 8 for {BUDGET.false_alarms:g} false alarms a day, judged in "
        f"hours 8 to 12. In brackets 95 % intervals: over furnaces, of false alarms exact for "
        f"Poisson counts."
    )
    after = table(
        (
            "what stays",
            "furnaces",
            "stale after, median min",
            "stale within 30 min",
            "most alarms before",
        ),
        (
            [kind, str(it.furnaces), f"{it.stale_after_min:.0f}", str(it.stale), str(it.raised)]
            for kind, it in stayed.items()
        ),
    )
    return f"{caption}\n\n{table(head, rows)}\n\n{after}"


def unseen_document(
    verdicts: Mapping[str, ContenderVerdict | str], stayed: Mapping[str, AftermathVerdict]
) -> str:
    """Return the verdict as JSON."""
    plain = {
        name: verdict if isinstance(verdict, str) else asdict(verdict)
        for name, verdict in verdicts.items()
    }
    kept = {kind: asdict(verdict) for kind, verdict in stayed.items()}
    return json.dumps({"simulated": True, "contenders": plain, "stays": kept}, indent=1)


@dataclass(frozen=True, slots=True)
class WindowCost:
    """Processor time of one window's novelty, ms.

    Attributes
    ----------
    median, high
        Half of the windows cost at most the first, 95 of 100 at most the second.
    """

    median: float
    high: float

    @property
    def line(self) -> str:
        """One line for people."""
        return (
            f"A window's novelty costs {self.median:.2f} ms of processor time, "
            f"95 of 100 at most {self.high:.2f} ms. Allowed are {ALLOWED_MS:g} ms."
        )


def window_cost() -> WindowCost:
    """Measure it: embeddings and currents of one window at a time, as a stream would bring them."""
    furnace = furnace_with(1, UNSEEN, 0, (), nuisances=False)
    own = portrayed(watch(furnace, *_COST_FITTED_S))
    rng = np.random.default_rng(1)
    spec = PUBLISHED_SPEC
    clips = rng.normal(100, 30, (8, spec.clip_frames, 64, 192)).astype(np.float16)
    grids = rng.normal(6500, 100, (8, spec.lookback_samples, 3)).astype(np.float32)
    spent_ms = []
    for number in range(_COST_WINDOWS):
        begun = time.process_time()
        _surprise(own.video, patch_features(clips[number % 8][None]))
        _surprise(own.current, current_features(grids[number % 8][None])[:, None])
        spent_ms.append(1000 * (time.process_time() - begun))
    return WindowCost(float(np.median(spent_ms)), float(np.quantile(spent_ms, 0.95)))


def _surprise(side: PortraitSide, features: NDArray[np.float64]) -> None:
    usual = side.usual
    at_s = np.array([HOP_S])
    followed = follow(usual.law.levels(features), at_s, usual.median, 0.0, usual.rise_per_s)
    side.scale.surprise(raw_novelty(followed))
