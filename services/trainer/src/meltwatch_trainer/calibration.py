"""Put the members' and the ensemble's log-odds of every availability state on one scale."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from meltwatch_trainer.adapters.window_cache import WindowArrays
from meltwatch_trainer.augmentation import plain_batch
from meltwatch_trainer.domain.availability import AVAILABILITY
from meltwatch_trainer.domain.statistics import Platt, fit_platt
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.network.steps import Aggregate

BATCH: Final = 16


def member_logits(member: Member, windows: WindowArrays, state: str) -> NDArray[np.float64]:
    """Return a member's raw log-odds ``(n,)`` of all windows in an availability state."""
    available = torch.tensor(AVAILABILITY[state])
    logits = []
    with torch.no_grad():
        for start in range(0, len(windows.labels), BATCH):
            index = np.arange(start, min(start + BATCH, len(windows.labels)))
            batch = plain_batch(windows, index, available)
            logits.append(member(batch.clip, batch.currents, batch.available)[0][:, 0].numpy())
    return np.concatenate(logits).astype(np.float64)


def calibrated_aggregate(members: list[Member], windows: WindowArrays) -> Aggregate:
    """Fit the aggregate on windows of furnaces that no member has seen.

    Each member is calibrated per state, so that members of a state can be averaged and compared;
    then their mean is, since agreeing members are surer together than each alone.
    """
    clear = windows.labels >= 0
    anomalous = windows.labels[clear] == 1
    rows = []
    for state in AVAILABILITY:
        raw = [member_logits(member, windows, state)[clear] for member in members]
        lines = [fit_platt(logits, anomalous) for logits in raw]
        mean = np.mean([line(logits) for line, logits in zip(lines, raw, strict=True)], axis=0)
        rows.append([*lines, fit_platt(mean, anomalous)])
    return Aggregate(_table(rows, "scale"), _table(rows, "shift"))


def _table(rows: list[list[Platt]], field: str) -> NDArray[np.float32]:
    return np.array([[getattr(line, field) for line in row] for row in rows], dtype=np.float32)
