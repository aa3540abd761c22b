"""The live screen of a run: calm, one place for each thing, a symbol and a word beside colour.

Grey is normal; colour is for what is not. Everything shown was measured.
"""

from collections.abc import Iterator
from typing import Final

from meltwatch_cli.domain.alarm_list import listed
from meltwatch_cli.domain.wording import day_and_clock, without_password
from meltwatch_schemas.alarm import utc_from_ns
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from meltwatch_local_cluster.screen.alarms import alarm_lines, irregular_lines
from meltwatch_local_cluster.screen.furnaces import furnace_table
from meltwatch_local_cluster.screen.glimpse import Glimpse
from meltwatch_local_cluster.screen.parts import HEADING, QUIET, ScreenText, elapsed_text
from meltwatch_local_cluster.screen.pipeline import pipeline_lines, problem_lines

_HINTS: Final = "meltwatch alarms list | alarms ack ID | alarms tail | status        Ctrl-C stops"
_LEAST_ALARM_LINES: Final = 5
_LEAST_ROOM: Final = 6
"""Lines for two furnaces and an alarm with their headings, whatever else there is to say."""


def draw(glimpse: Glimpse, width: int, height: int) -> Table:
    """Draw the screen.

    Parameters
    ----------
    glimpse
        What to show.
    width, height
        Of the terminal, in characters; made for 80×24 and more.
    """
    alarms = listed(glimpse.run.standing_alarms(), everything=False)
    head = [*_header(glimpse, width), ScreenText()]
    foot = [*problem_lines(glimpse, width), ScreenText(_HINTS, style=QUIET)]
    counts = pipeline_lines(glimpse)
    room = height - len(head) - len(counts) - len(foot) - 2
    counts += irregular_lines(glimpse, width, room - _LEAST_ROOM)
    foot = [*counts, *foot]
    room = height - len(head) - len(foot) - 2
    furnace_room = room - min(2 * len(alarms) + 1, _LEAST_ALARM_LINES)
    furnaces = furnace_table(glimpse, width, max(furnace_room, 3))
    alarm_room = max(room - furnaces.row_count - 1, 1)
    page = Table.grid(expand=True)
    page.add_column(no_wrap=True, overflow="ellipsis")
    lines = [ScreenText(), *alarm_lines(glimpse, alarms, alarm_room), ScreenText(), *foot]
    parts: list[RenderableType] = [*head, furnaces, *lines]
    for part in parts:
        page.add_row(part)
    return page


def _header(glimpse: Glimpse, width: int) -> Iterator[Text]:
    scenario, state = glimpse.scenario, glimpse.state
    duration = scenario.duration_s
    left = "" if duration is None else f" of {elapsed_text(duration)}"
    now = day_and_clock(utc_from_ns(glimpse.now_ns))
    plan = f"{elapsed_text(glimpse.elapsed_s)}{left}  sources: {scenario.sources}"
    title = ScreenText.assemble(("Meltwatch  ", HEADING), plan)
    title.append(now.rjust(width - len(title.plain)))
    yield title
    yield ScreenText(f"Kafka {state.kafka}  Redis {without_password(state.redis)}", style=QUIET)
    console = f"  console {state.console}" if state.console else ""
    yield ScreenText(f"Triton {state.triton}  topics {state.topic_prefix}.*{console}", style=QUIET)
