"""The alarms that the alarm rule raises from a series of logits, compared with faults."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from meltwatch_core.alarms.condition import Condition, Sample, decided, due, observe
from meltwatch_schemas.alarm_point import Setpoint
from meltwatch_schemas.window import INT64_MAX, NS_PER_S


@dataclass(frozen=True, slots=True)
class AlarmSpan:
    """An alarm's event times in seconds; ``cleared_s`` is infinite while it stands."""

    raised_s: float
    cleared_s: float


@dataclass(frozen=True, slots=True)
class JudgedAlarms:
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


def alarms(series: Iterable[tuple[float, float]], setpoint: Setpoint) -> list[AlarmSpan]:
    """Return the alarms of a series of (window end in seconds, logit), in order.

    The rule is the alarm manager's, except that no distance of windows is a gap: a series has none,
    whatever its hop. An alarm's times are those of the windows that decide it.
    """
    raised: list[AlarmSpan] = []
    condition = Condition()
    for number, (end_s, logit) in enumerate(series):
        sample = Sample(round(end_s * NS_PER_S), logit, number)
        condition = observe(condition, sample, setpoint, max_gap_ns=INT64_MAX)
        if due(condition, setpoint) is None:
            continue
        if condition.active:
            raised[-1] = AlarmSpan(raised[-1].raised_s, end_s)
        else:
            raised.append(AlarmSpan(end_s, inf))
        condition = decided(condition)
    return raised


def judge(
    series: Iterable[tuple[float, float]],
    setpoint: Setpoint,
    faults: tuple[tuple[float, float], ...],
    grace_s: float,
) -> JudgedAlarms:
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
    return JudgedAlarms(tuple(delays), owners.count(None), tuple(lags))


def _owner(alarm: AlarmSpan, faults: tuple[tuple[float, float], ...], grace_s: float) -> int | None:
    for number, (start_s, end_s) in enumerate(faults):
        if start_s <= alarm.raised_s < end_s + grace_s:
            return number
    return None
