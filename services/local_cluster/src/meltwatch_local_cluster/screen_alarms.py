"""The alarms' part of the screen: those that stand, as an operator reads them."""

from collections.abc import Sequence

from meltwatch_cli.domain.wording import age_text, clock_text, state_text
from meltwatch_schemas.alarm import AlarmRecord, AlarmState
from rich.text import Text

from meltwatch_local_cluster.screen_glimpse import Glimpse
from meltwatch_local_cluster.screen_parts import HEADING, QUIET, alarm_style


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
    unseen = sum(alarm.state is AlarmState.UNACK for alarm in alarms)
    raised = len(glimpse.run.raises)
    counts = f"{len(alarms)} stand, {unseen} unacknowledged; {raised} raised so far"
    title = Text.assemble(("ALARMS   ", HEADING), (counts, QUIET))
    if not alarms:
        return [title]
    fits = len(alarms) <= lines - 1
    shown = alarms if fits else alarms[: max(lines - 2, 0)]
    page = [title, *(_line(glimpse, alarm) for alarm in shown)]
    if not fits:
        page.append(Text(f"… {len(alarms) - len(shown)} more: meltwatch alarms list", style=QUIET))
    return page


def _line(glimpse: Glimpse, alarm: AlarmRecord) -> Text:
    since = clock_text(alarm.raise_time or alarm.condition_time)
    rest = (
        f"{alarm.priority:<8} {since} {age_text(glimpse.standing_s(alarm)):>6}  "
        f"{alarm.alarm_id}  {alarm.message}"
    )
    return Text.assemble((f"{state_text(alarm.state):<8}", alarm_style(alarm)), rest)
