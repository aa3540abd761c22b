"""The alarms' part of the screen: those that stand, as an operator reads them."""

from collections.abc import Sequence
from typing import Final

from meltwatch_cli.domain.wording import age_text, clock_text, state_text
from meltwatch_schemas.alarm import AlarmRecord, AlarmState
from rich.text import Text

from meltwatch_local_cluster.screen.glimpse import Glimpse, watch_text
from meltwatch_local_cluster.screen.parts import ABNORMAL, HEADING, QUIET, ScreenText, alarm_style

_WAITING: Final = frozenset({AlarmState.UNACK, AlarmState.LATUN, AlarmState.RTNUN})
"""What nobody has acknowledged yet."""


def alarm_lines(glimpse: Glimpse, alarms: Sequence[AlarmRecord], lines: int) -> list[Text]:
    """Draw alarms.

    Parameters
    ----------
    glimpse
        What to show.
    alarms
        In reading order.
    lines
        Room, heading included; what does not fit is counted.
    """
    title = _title(glimpse, alarms)
    if not alarms:
        return [title]
    fits = len(alarms) <= lines - 1
    shown = alarms if fits else alarms[: max(lines - 2, 0)]
    room_for_advice = lines - 1 - len(alarms)
    page: list[Text] = [title]
    for alarm in shown:
        page.append(_line(glimpse, alarm))
        if alarm.active and room_for_advice > 0:
            page.append(_advice(glimpse, alarm))
            room_for_advice -= 1
    if not fits:
        page.append(
            ScreenText(f"… {len(alarms) - len(shown)} more: meltwatch alarms list", style=QUIET)
        )
    return page


def _title(glimpse: Glimpse, alarms: Sequence[AlarmRecord]) -> Text:
    """Say what stands, and for how many furnaces and from when that holds."""
    waiting = sum(alarm.state in _WAITING for alarm in alarms)
    raised = len(glimpse.run.raises)
    counts = f"; {len(alarms)} stand, {waiting} unacknowledged; {raised} raised so far"
    watch, is_well = watch_text(glimpse)
    held = (watch, QUIET if is_well else ABNORMAL)
    return ScreenText.assemble(("ALARMS   ", HEADING), held, (counts, QUIET))


def _advice(glimpse: Glimpse, alarm: AlarmRecord) -> Text:
    """Say what to do and how much of the time for it is left."""
    left_s = alarm.guidance.time_to_respond_s - glimpse.standing_s(alarm)
    left = f"{age_text(left_s)} left" if left_s > 0 else f"{age_text(-left_s)} over time"
    return ScreenText(f"        {left}: {alarm.guidance.action}", style=QUIET if left_s > 0 else "")


def _line(glimpse: Glimpse, alarm: AlarmRecord) -> Text:
    since = clock_text(alarm.raise_time or alarm.condition_time)
    rest = (
        f"{alarm.priority:<8} {since} {age_text(glimpse.standing_s(alarm)):>6}  "
        f"{alarm.alarm_id}  {alarm.message}"
    )
    return ScreenText.assemble((f"{state_text(alarm.state):<8}", alarm_style(alarm)), rest)
