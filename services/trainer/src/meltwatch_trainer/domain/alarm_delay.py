"""What an alarm point would make of a series of logits: hysteresis, on-delay, off-delay.

A deliberately small twin of the alarm manager's rule, to choose thresholds by.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from meltwatch_schemas.alarm import Setpoint


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm's event times in seconds; ``cleared_s`` is infinite while it stands."""

    raised_s: float
    cleared_s: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """Alarms of one furnace set against its faults.

    Attributes
    ----------
    delays_s
        Per fault, seconds from its start to the alarm; ``None`` if it was missed.
    false_alarms
        Alarms that no fault explains.
    clear_lags_s
        Per detected fault, seconds from its end until its alarm cleared.
    """

    delays_s: tuple[float | None, ...]
    false_alarms: int
    clear_lags_s: tuple[float, ...]


def alarms(series: Iterable[tuple[float, float]], setpoint: Setpoint) -> list[Alarm]:
    """Return the alarms of a series of (window end in seconds, logit), in order.

    Logits between the thresholds hold the decision and neither start nor stop a delay.
    """
    raised: list[Alarm] = []
    standing = False
    since: float | None = None
    for end_s, logit in series:
        if standing:
            turns, holds = logit < setpoint.logit_off, logit >= setpoint.logit_on
        else:
            turns, holds = logit >= setpoint.logit_on, logit < setpoint.logit_off
        if holds:
            since = None
        elif turns and since is None:
            since = end_s
        delay_s = setpoint.off_delay_s if standing else setpoint.on_delay_s
        if since is not None and end_s - since >= delay_s:
            if standing:
                raised[-1] = Alarm(raised[-1].raised_s, end_s)
            else:
                raised.append(Alarm(end_s, inf))
            standing, since = not standing, None
    return raised


def judge(
    series: Iterable[tuple[float, float]],
    setpoint: Setpoint,
    faults: tuple[tuple[float, float], ...],
    grace_s: float,
) -> Judgement:
    """Set alarms against faults.

    Parameters
    ----------
    faults
        Start and end of each fault, seconds; they do not overlap.
    grace_s
        An alarm this long after a fault's end still belongs to the fault.
    """
    found = alarms(series, setpoint)
    owners = [_owner(alarm, faults, grace_s) for alarm in found]
    delays: list[float | None] = []
    lags: list[float] = []
    for number, (start_s, end_s) in enumerate(faults):
        own = [a for a, owner in zip(found, owners, strict=True) if owner == number]
        delays.append(own[0].raised_s - start_s if own else None)
        if own:
            lags.append(max(0.0, own[-1].cleared_s - end_s))
    return Judgement(tuple(delays), owners.count(None), tuple(lags))


def _owner(alarm: Alarm, faults: tuple[tuple[float, float], ...], grace_s: float) -> int | None:
    for number, (start_s, end_s) in enumerate(faults):
        if start_s <= alarm.raised_s < end_s + grace_s:
            return number
    return None
