"""The command that judges translation and alignment, and writes their table."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Final

import numpy as np
from meltwatch_core.alarms.setpoints.bootstrap import Estimate, estimate, resample
from meltwatch_core.alarms.setpoints.threshold import NoTailError

from meltwatch_trainer.data.process_pool import in_processes
from meltwatch_trainer.errors import TrainerError
from meltwatch_trainer.judge.verdict_tables import interval, table
from meltwatch_trainer.rivals.kept_furnaces import KeptFurnaces
from meltwatch_trainer.rivals.options import RivalOptions
from meltwatch_trainer.rivals.rival_sets import COUPLED_CHOICE, RIVAL_SETS, RivalSet
from meltwatch_trainer.rivals.rival_sides import (
    ALIGNED,
    CURRENTS_TOLD,
    FLOW,
    GAPS_FILLED,
    LEADING,
    TRANSLATED,
    VIDEO_TOLD,
    RivalSurprises,
)
from meltwatch_trainer.settings import default_work_folder
from meltwatch_trainer.unseen.contenders import CURRENTS_ALONE, VIDEO_ALONE
from meltwatch_trainer.unseen.unseen_commands import PORTRAIT, SIDES, JudgedSet, Shown
from meltwatch_trainer.unseen.unseen_verdict import (
    BUDGET,
    ContenderVerdict,
    contender_verdict,
)

CONTENDERS: Final[Mapping[str, tuple[str, ...]]] = {
    PORTRAIT: SIDES,
    "portrait and translation (CMDIAD)": (*SIDES, TRANSLATED),
    "portrait and alignment (LSFA)": (*SIDES, ALIGNED),
    "translation in place of the picture": (TRANSLATED, CURRENTS_ALONE),
    "alignment in place of the picture": (ALIGNED, CURRENTS_ALONE),
    "translation in its place, and alignment": (TRANSLATED, CURRENTS_ALONE, ALIGNED),
    "flow in place of the picture (CL-Flow, DA-Flow)": (FLOW, CURRENTS_ALONE),
    "portrait and filled gaps": (*SIDES, GAPS_FILLED),
    "filled gaps in place of the currents (ImDiffusion)": (VIDEO_ALONE, GAPS_FILLED),
    "the calmer side leads (HCT-DMG)": (LEADING,),
    TRANSLATED: (TRANSLATED,),
    ALIGNED: (ALIGNED,),
    CURRENTS_ALONE: (CURRENTS_ALONE,),
    "video lost, translated": (CURRENTS_ALONE, VIDEO_TOLD),
    VIDEO_ALONE: (VIDEO_ALONE,),
    "currents lost, translated": (VIDEO_ALONE, CURRENTS_TOLD),
}
"""Rows by name: the sides that each looks at."""


def judged_rivals(options: RivalOptions, shown: Shown) -> Iterator[JudgedSet]:
    """Watch and judge one set after the other; what was kept is not looked at again.

    Raises
    ------
    TrainerError
        If there is no set of a name that is asked for.
    """
    if unknown := set(options.sets or ()) - set(RIVAL_SETS):
        raise TrainerError(
            f"--set: expected {', '.join(RIVAL_SETS)}, got {', '.join(sorted(unknown))}"
        )
    root = options.work or default_work_folder() / "rivals"
    for name in options.sets or (name for name in RIVAL_SETS if name != COUPLED_CHOICE):
        judged = RIVAL_SETS[name].cut(options.furnaces)
        kept = KeptFurnaces(root, options.seed, judged)
        with shown(f"furnaces of {name}") as show:
            seen = []
            show(0, judged.runs.furnaces)
            work = partial(kept.furnace, kept.folder)
            for one in in_processes(work, range(judged.runs.furnaces), options.workers):
                seen.append(one)
                show(len(seen), judged.runs.furnaces)
        verdicts = judge_rivals(seen, judged.kinds)
        share = explained_share(seen)
        yield JudgedSet(
            name, rivals_table(judged, verdicts, share), rivals_document(verdicts, share)
        )


def judge_rivals(
    seen: Sequence[RivalSurprises], kinds: Sequence[str]
) -> dict[str, ContenderVerdict | str]:
    """Judge every row, or tell why one has no threshold."""
    verdicts: dict[str, ContenderVerdict | str] = {}
    surprises = [each.surprises for each in seen]
    for name, sides in CONTENDERS.items():
        try:
            verdicts[name] = contender_verdict(surprises, sides, kinds)
        except NoTailError as error:
            verdicts[name] = str(error)
    return verdicts


def explained_share(seen: Sequence[RivalSurprises]) -> Estimate:
    """Return the median over furnaces of what the currents predict, and its interval."""
    shares = np.array([each.explained for each in seen])
    drawn = resample(len(seen)).astype(np.int64)
    return estimate(np.array([np.median(np.repeat(shares, times)) for times in drawn]))


def rivals_table(
    judged: RivalSet, verdicts: Mapping[str, ContenderVerdict | str], share: Estimate
) -> str:
    """Return the verdict on a set in Markdown."""
    head = (
        "contender",
        "threshold",
        "false alarms a furnace-day",
        "mean of the kinds",
        "minus the portrait's",
        *judged.kinds,
    )
    caption = (
        f"**Simulated**: {judged.runs.furnaces} furnaces of the set `{judged.runs.name}`. Fit on "
        f"hours 0 to 4, threshold from hours 4 to 8 for {BUDGET.false_alarms:g} false alarms a "
        f"day, judged in hours 8 to 12. The currents predict {interval(share, 2)} of the pooled "
        f"picture's variance in hours 4 to 8 (median of the furnaces). In brackets 95 % "
        f"intervals: over furnaces, of false alarms exact for Poisson counts."
    )
    rows = (_row(name, verdict, verdicts[PORTRAIT], judged) for name, verdict in verdicts.items())
    return f"{caption}\n\n{table(head, rows)}"


def _row(
    name: str,
    verdict: ContenderVerdict | str,
    portrait: ContenderVerdict | str,
    judged: RivalSet,
) -> list[str]:
    if isinstance(verdict, str):
        return [name, verdict, *[""] * (len(judged.kinds) + 3)]
    compared = "–"
    if name != PORTRAIT and not isinstance(portrait, str):
        compared = interval(verdict.gain_over(portrait), 2, signed=True)
    return [
        name,
        " / ".join(f"{basis.logit_on:.2f}" for basis in verdict.bases),
        interval(verdict.false_per_day, 1),
        interval(verdict.mean_recall, 2),
        compared,
        *(interval(verdict.recall[kind], 2) for kind in judged.kinds),
    ]


def rivals_document(verdicts: Mapping[str, ContenderVerdict | str], share: Estimate) -> str:
    """Return the verdict as JSON."""
    plain = {
        name: verdict if isinstance(verdict, str) else asdict(verdict)
        for name, verdict in verdicts.items()
    }
    return json.dumps(
        {"simulated": True, "explained": asdict(share), "contenders": plain}, indent=1
    )
