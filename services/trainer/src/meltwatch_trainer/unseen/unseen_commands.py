"""The command that watches, judges and writes the table."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from meltwatch_chassis.whole_file import write_whole
from meltwatch_core.alarms.setpoints.threshold import NoTailError

from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.data.run_sets import RunSet
from meltwatch_trainer.errors import RepositoryError, UnwritableError
from meltwatch_trainer.judge.verdict_tables import interval, table
from meltwatch_trainer.network.model_config import ENSEMBLE
from meltwatch_trainer.unseen.contenders import (
    CURRENTS_ALONE,
    VIDEO_ALONE,
    FurnaceSurprises,
    furnace_surprises,
)
from meltwatch_trainer.unseen.happenings import OPEN_KINDS, SPOT, STAYING, judged_kinds
from meltwatch_trainer.unseen.options import UnseenOptions
from meltwatch_trainer.unseen.unseen_verdict import (
    BUDGET,
    AftermathVerdict,
    ContenderVerdict,
    aftermath_verdict,
    contender_verdict,
)

PORTRAIT: Final = "portrait"
"""Each side by a threshold of its own: the currents' surprises reach less high than the video's."""
SIDES: Final = (VIDEO_ALONE, CURRENTS_ALONE)
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
    contenders = {PORTRAIT: SIDES} | {name: (name,) for name in seen[0].surprises}
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
