"""How an alarm is shown to an operator: what it is, since when, what to do, time left."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from meltwatch_schemas.alarm import AlarmRecord, AlarmState, OutOfService, Quality, Shelve
from meltwatch_schemas.alarm_list import is_unacknowledged, token_of
from meltwatch_schemas.text import escaped
from meltwatch_schemas.wording import (
    age_text,
    plant_time,
    state_text,
    surprise_text,
    zone_named,
)

from meltwatch_cli.domain.columns import columns, width_of, wrapped

_SINCE: Final = "SINCE"
_HEADINGS: Final = ("STATE", "PRIORITY", _SINCE, "TO RESPOND", "PROBABILITY (SCORE)")
_ANSWERED: Final = frozenset({AlarmState.UNACK, AlarmState.ACKED})
_LATCHED: Final = frozenset({AlarmState.LATUN, AlarmState.LATAK})
_INDENT: Final = "    "


def list_lines(
    alarms: Sequence[AlarmRecord], now: datetime, width: int | None, zone: tzinfo | None = None
) -> list[str]:
    """Return the alarm list: a row of facts each, its id, and what it asks of the operator.

    No id is ever folded: an alarm's stands last in its row, or on a line of its own where that is
    wider than the screen, and that of the event to acknowledge stands below.

    Parameters
    ----------
    alarms
        In the order of the list.
    now
        Wall clock.
    width
        Columns of the screen; None where a program reads, which gets no line folded.
    zone
        For records that do not name the plant's; None for that of this machine.
    """
    zones = [zone_named(alarm.time_zone) or zone for alarm in alarms]
    rows = [_facts(alarm, now, each) for alarm, each in zip(alarms, zones, strict=True)]
    ids = [alarm.alarm_id for alarm in alarms]
    headings = [_since(zones) if each == _SINCE else each for each in _HEADINGS]
    together = columns(
        [*headings, "ALARM"], [[*row, id_] for row, id_ in zip(rows, ids, strict=True)]
    )
    fits = width is None or max(map(width_of, together)) <= width
    heading, *lines = together if fits else columns(headings, rows)
    shown = [heading]
    for line, alarm, each in zip(lines, alarms, zones, strict=True):
        shown.append(line)
        if not fits:
            shown.append(f"  {alarm.alarm_id}")
        for text in _asks(alarm, each):
            shown += wrapped(escaped(text), _INDENT, width)
        if is_unacknowledged(alarm.state):
            shown.append(f"{_INDENT}to acknowledge: --event-id {escaped(token_of(alarm))}")
        if alarm.state in _LATCHED:
            shown.append(f"{_INDENT}to reset: --event-id {escaped(token_of(alarm))}")
    return shown


def _since(zones: Iterable[tzinfo | None]) -> str:
    """Return the heading of the times, with the name of their zone if all have the same."""
    names = {zone.key if isinstance(zone, ZoneInfo) else "" for zone in zones}
    name = names.pop() if len(names) == 1 else ""
    return f"{_SINCE} ({name})" if name else _SINCE


def _facts(alarm: AlarmRecord, now: datetime, zone: tzinfo | None) -> list[str]:
    since = alarm.raise_time or alarm.condition_time
    return [
        state_text(alarm),
        alarm.priority,
        plant_time(since, zone),
        time_left(alarm, now),
        probability_text(alarm),
    ]


def _asks(alarm: AlarmRecord, zone: tzinfo | None) -> Iterable[str]:
    yield alarm.message
    if alarm.quality is not Quality.GOOD:
        yield f"{alarm.quality}: {', '.join(alarm.quality_reasons) or 'no reason given'}"
    if alarm.state not in _ANSWERED:
        yield _state_in_words(alarm)
    if alarm.shelve:
        yield f"shelved {_shelving(alarm.shelve, zone)}"
    if alarm.out_of_service:
        yield f"out of service {_outage(alarm.out_of_service, zone)}"
    if alarm.state in _ANSWERED:
        yield f"do: {alarm.guidance.action}"
    if alarm.acked and alarm.ack_by:
        when = f" at {plant_time(alarm.ack_time, zone)}" if alarm.ack_time else ""
        yield f"acknowledged by {alarm.ack_by}{when}"


def time_left(alarm: AlarmRecord, now: datetime) -> str:
    """Return how long an operator has, e.g. ``7 min left`` or ``overdue 3 min``.

    A condition that is gone, or suppressed, needs no action: ``-``.
    """
    if alarm.state not in _ANSWERED or alarm.raise_time is None:
        return "-"
    left_s = alarm.guidance.time_to_respond_s - (now - alarm.raise_time).total_seconds()
    return f"{age_text(left_s)} left" if left_s >= 0 else f"overdue {age_text(-left_s)}"


def probability_text(alarm: AlarmRecord) -> str:
    """Return probability and score, e.g. ``99.96 % (7.80)``; system alarms have none: ``-``."""
    logit = alarm.evidence.score
    if logit is None or alarm.class_ == "system":
        return "-"
    return f"{100 / (1 + math.exp(-max(min(logit, 500.0), -500.0))):.4g} % ({logit:.2f})"


def page(
    alarm: AlarmRecord, history: Sequence[AlarmRecord], now: datetime, zone: tzinfo | None = None
) -> list[str]:
    """Return everything about one alarm, line by line.

    Parameters
    ----------
    alarm
        Its newest record.
    history
        Records of the same occurrence, oldest first.
    now
        Wall clock.
    zone
        If the alarm does not name the plant's; None for that of this machine.
    """
    zone = zone_named(alarm.time_zone) or zone
    sections = (
        _head(alarm, now, zone),
        _guidance(alarm, now),
        _evidence(alarm, zone),
        _course(history, zone),
        _next_step(alarm),
    )
    return [escaped(line) for section in sections for line in ("", *section)][1:]


def _head(alarm: AlarmRecord, now: datetime, zone: tzinfo | None) -> list[str]:
    times = {
        "condition since": alarm.condition_time,
        "raised": alarm.raise_time,
        "cleared": alarm.clear_time,
        "acknowledged": alarm.ack_time,
        "published": alarm.times.published,
    }
    facts = {
        "alarm": alarm.alarm_id,
        "title": alarm.title,
        "message": alarm.message,
        "state": f"{state_text(alarm)}: {_state_in_words(alarm)}",
        "times": f"in the plant's time zone, {zone.key}" if isinstance(zone, ZoneInfo) else "",
        "priority": f"{alarm.priority} (severity {alarm.severity}), {alarm.class_}, {alarm.mode}",
        "quality": ", ".join([alarm.quality, *alarm.quality_reasons]),
        **{name: _when(instant, now, zone) for name, instant in times.items() if instant},
        "acknowledged by": alarm.ack_by or "",
        "shelved": _shelving(alarm.shelve, zone) if alarm.shelve else "",
        "out of service": _outage(alarm.out_of_service, zone) if alarm.out_of_service else "",
        "suppressed": ", ".join(alarm.suppressed),
        "raised in 24 h": f"{alarm.count_24h} times",
        "furnace": "stands in no plant file" if alarm.unregistered else "",
    }
    return _pairs(facts)


def _shelving(shelve: Shelve, zone: tzinfo | None) -> str:
    sooner = " or the next return to normal" if shelve.one_shot else ""
    return f"until {plant_time(shelve.until, zone)}{sooner} by {shelve.by}: {shelve.reason}"


def _outage(out: OutOfService, zone: tzinfo | None) -> str:
    since = plant_time(out.since, zone)
    return f"since {since} by {out.by}: {out.reason} (work order {out.work_order})"


def _state_in_words(alarm: AlarmRecord) -> str:
    holds = "the condition holds" if alarm.active else "the condition has gone"
    # Not by the state: an alarm that nobody has seen may be shelved.
    acked = "acknowledged" if alarm.acked else "not acknowledged"
    return f"{holds}, {acked}" + (", waits for a reset" if alarm.latched else "")


def _guidance(alarm: AlarmRecord, now: datetime) -> list[str]:
    guidance = alarm.guidance
    return _pairs(
        {
            "do": guidance.action,
            "otherwise": guidance.consequence,
            "time to respond": f"{age_text(guidance.time_to_respond_s)}, {time_left(alarm, now)}",
            "procedure": guidance.url or "",
        }
    )


def _evidence(alarm: AlarmRecord, zone: tzinfo | None) -> list[str]:
    evidence, model = alarm.evidence, alarm.model
    window = f"{plant_time(evidence.window_start, zone)} to {plant_time(evidence.window_end, zone)}"
    if alarm.class_ == "system":
        return _pairs({"window": window, "set-point": f"revision {alarm.config_rev}"})
    if evidence.imbalance_on is not None and evidence.imbalance_off is not None:
        share = "unknown" if evidence.imbalance is None else f"{evidence.imbalance:.1%}"
        return _pairs(
            {
                "imbalance": f"{share} of the mean current",
                "set-point": f"raises at {evidence.imbalance_on:.1%}, clears below "
                f"{evidence.imbalance_off:.1%}; revision {alarm.config_rev}",
                "window": window,
            }
        )
    if evidence.novelty_on is not None and evidence.novelty_off is not None:
        return _pairs(
            {
                "surprise": surprise_text(evidence),
                "set-point": f"raises at {evidence.novelty_on:.2f}, clears below "
                f"{evidence.novelty_off:.2f}; revision {alarm.config_rev}",
                "window": window,
                "portrait": evidence.novelty.portrait if evidence.novelty else "",
            }
        )
    members = ", ".join(f"{member:.2f}" for member in evidence.members or ())
    spread = "" if evidence.disagreement is None else f", disagreement {evidence.disagreement:.2f}"
    return _pairs(
        {
            "probability": probability_text(alarm),
            "set-point": f"raises at score {evidence.threshold:.2f}, clears below "
            f"{evidence.threshold_off:.2f}; revision {alarm.config_rev}",
            "members": f"{members}{spread}" if members else "",
            "window": window,
            "model": f"{model.name} {model.version} ({model.digest[:12]}), "
            f"encoder {model.preproc or 'none'}",
            "picture": evidence.snapshot_uri or "",
        }
    )


def _course(history: Sequence[AlarmRecord], zone: tzinfo | None) -> list[str]:
    lines = [
        f"  {plant_time(each.times.published, zone)}  {each.transition.cause} to {each.state}"
        + (f" by {each.transition.by}" if each.transition.by else "")
        + (f": {each.transition.comment}" if each.transition.comment else "")
        for each in history
    ]
    return ["so far", *lines] if lines else []


def _next_step(alarm: AlarmRecord) -> list[str]:
    seen = f"{alarm.alarm_id} --event-id {token_of(alarm)}"
    steps = {
        f"to acknowledge: meltwatch alarms ack {seen}": is_unacknowledged(alarm.state),
        f"to reset: meltwatch alarms reset {seen}": alarm.state in _LATCHED,
    }
    return [step for step, is_due in steps.items() if is_due]


def _when(instant: datetime, now: datetime, zone: tzinfo | None) -> str:
    ago_s = (now - instant).total_seconds()
    ago = f"{age_text(ago_s)} ago" if ago_s >= 0 else f"in {age_text(-ago_s)}"
    return f"{plant_time(instant, zone)}, {ago}"


def _pairs(facts: dict[str, str]) -> list[str]:
    return [f"{name:<16} {text}" for name, text in facts.items() if text]
