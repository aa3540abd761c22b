"""The screen's part for action: standing alarms, and furnaces with irregularities."""

from collections.abc import Mapping, Sequence
from typing import Final

from meltwatch_schemas.alarm import AlarmRecord, AlarmState
from meltwatch_schemas.wording import age_text, clock_text, state_text
from rich.text import Text

from meltwatch_local_cluster.screen.parts import (
    ABNORMAL,
    HEADING,
    QUIET,
    ScreenText,
    alarm_style,
    shortened,
)
from meltwatch_local_cluster.screen.run_snapshot import RunSnapshot, watch_text

_WAITING: Final = frozenset({AlarmState.UNACK, AlarmState.LATUN, AlarmState.RTNUN})
"""States that nobody has acknowledged yet."""
MAX_FURNACES: Final = 3
_IRREGULAR: Final = "IRREGULAR  "
_ID_WIDTH: Final = 28
_SHORT: Final = {
    "duplicate": "dup",
    "future_event_time": "future",
    "unexpected_source": "source",
    "unknown_encoder": "encoder",
}


def alarm_lines(snapshot: RunSnapshot, alarms: Sequence[AlarmRecord], lines: int) -> list[Text]:
    """Draw alarms.

    Parameters
    ----------
    snapshot
        What to show.
    alarms
        In reading order.
    lines
        Room, heading included; what does not fit is counted.
    """
    title = _title(snapshot, alarms)
    if not alarms:
        return [title]
    fits = len(alarms) <= lines - 1
    shown = alarms if fits else alarms[: max(lines - 2, 0)]
    room_for_advice = lines - 1 - len(alarms)
    page: list[Text] = [title]
    for alarm in shown:
        page.append(_line(snapshot, alarm))
        if alarm.active and room_for_advice > 0:
            page.append(_advice(snapshot, alarm))
            room_for_advice -= 1
    if not fits:
        page.append(
            ScreenText(f"… {len(alarms) - len(shown)} more: meltwatch alarms list", style=QUIET)
        )
    return page


def _title(snapshot: RunSnapshot, alarms: Sequence[AlarmRecord]) -> Text:
    """Say how many alarms stand, for how many furnaces, and since when that is known."""
    waiting = sum(alarm.state in _WAITING for alarm in alarms)
    raised = len(snapshot.run.raises)
    counts = f"; {len(alarms)} stand, {waiting} unacknowledged; {raised} raised so far"
    watch, is_well = watch_text(snapshot)
    held = (watch, QUIET if is_well else ABNORMAL)
    return ScreenText.assemble(("ALARMS   ", HEADING), held, (counts, QUIET))


def _advice(snapshot: RunSnapshot, alarm: AlarmRecord) -> Text:
    """Say what to do and how much time is left for it."""
    left_s = alarm.guidance.time_to_respond_s - snapshot.standing_s(alarm)
    left = f"{age_text(left_s)} left" if left_s > 0 else f"{age_text(-left_s)} over time"
    return ScreenText(f"        {left}: {alarm.guidance.action}", style=QUIET if left_s > 0 else "")


def _line(snapshot: RunSnapshot, alarm: AlarmRecord) -> Text:
    since = clock_text(alarm.raise_time or alarm.condition_time)
    rest = (
        f"{alarm.priority:<8} {since} {age_text(snapshot.standing_s(alarm)):>6}  "
        f"{alarm.alarm_id}  {alarm.message}"
    )
    return ScreenText.assemble((f"{state_text(alarm):<8}", alarm_style(alarm)), rest)


def irregular_lines(snapshot: RunSnapshot, width: int, lines: int) -> list[ScreenText]:
    """Draw the irregularities of the furnaces with most of them; nothing if all is well.

    Parameters
    ----------
    snapshot
        What to show.
    width, lines
        Room in characters; three lines at most are taken, none if there is no room.
    """
    counts = {name: kinds for name, kinds in snapshot.irregularities.items() if any(kinds.values())}
    worst = sorted(counts, key=lambda name: (-sum(counts[name].values()), name))
    shown = worst[: max(0, min(lines, MAX_FURNACES))]
    page: list[ScreenText] = []
    for name in shown:
        line = ScreenText(_IRREGULAR if not page else " " * len(_IRREGULAR), style=HEADING)
        line.append(f"{shortened(name, _ID_WIDTH)}  ", style="")
        line.append(kinds_text(counts[name]), style=ABNORMAL)
        page.append(line)
    hidden = len(counts) - len(shown)
    rest = f"  … {hidden} more furnaces" if hidden else ""
    for line in page:
        line.truncate(width - len(rest), overflow="ellipsis")
    if page:
        page[-1].append(rest, style=QUIET)
    return page


def kinds_text(kinds: Mapping[str, int]) -> str:
    """Return counts by kind, the commonest first, e.g. ``late 3 · dup 1``."""
    ordered = sorted((-count, kind) for kind, count in kinds.items() if count)
    return " · ".join(f"{_SHORT.get(kind, kind)} {-count}" for count, kind in ordered)
