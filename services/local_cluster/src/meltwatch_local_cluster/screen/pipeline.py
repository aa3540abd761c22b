"""The pipeline's part of the screen: counts, latencies, and whatever is wrong."""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Final

from meltwatch_chassis.run_state import ServiceState
from meltwatch_schemas.wording import age_text, service_text
from rich.text import Text

from meltwatch_local_cluster.domain.observed_run import WARM_UP_S
from meltwatch_local_cluster.screen.parts import (
    ABNORMAL,
    HEADING,
    QUIET,
    ScreenText,
    elapsed_text,
    seconds_text,
)
from meltwatch_local_cluster.screen.run_snapshot import RunSnapshot, watch_text

MAX_PROBLEMS: Final = 4
_RUNNING: Final = frozenset({"ready", "stopped"})


def pipeline_lines(snapshot: RunSnapshot) -> list[Text]:
    """Draw counts and latencies."""
    run = snapshot.run
    windows = _heading("WINDOWS")
    for status in ("scored", "degraded", "unscored"):
        _count(windows, status, run.live[status], wrong=status != "scored")
    _count(windows, "skipped", snapshot.counters.get("skipped", 0), wrong=False)
    _count(windows, "back-fill", run.backfill.total(), wrong=False)
    refused = _heading("RECORDS")
    _count(refused, "late", run.late, wrong=True)
    _count(refused, "duplicate", snapshot.counters.get("duplicates", 0), wrong=True)
    _count(refused, "dead letters", run.dead_letters.total(), wrong=True)
    if unreadable := snapshot.counters.get("unreadable", 0):
        _count(refused, "unreadable here", unreadable, wrong=True)
    for reason, count in run.dead_letters.most_common(2):
        refused.append(f"{reason} {count}  ", style=ABNORMAL)
    delays = _heading("LATENCY")
    _latency(delays, "to score", run.event_to_score.percentiles())
    _latency(delays, "to alarm", run.event_to_alarm.percentiles())
    delays.append(f"after {WARM_UP_S} s of warm-up", style=QUIET)
    return [windows, refused, delays]


def problem_lines(snapshot: RunSnapshot, width: int) -> list[Text]:
    """Draw what is wrong, at most two lines each, or that nothing is."""
    problems = [*_problems(snapshot)]
    count = len(snapshot.state.services)
    if not problems:
        return [ScreenText(f"SERVICES  ● all {count} run", style=QUIET)]
    page: list[Text] = [ScreenText(f"SERVICES  {len(problems)} need attention", style=HEADING)]
    for problem in problems[:MAX_PROBLEMS]:
        lines = wrap(problem, width, subsequent_indent="  ", max_lines=2, placeholder=" …")
        page += [ScreenText(line, style=ABNORMAL) for line in lines]
    return page


def _problems(snapshot: RunSnapshot) -> Iterator[str]:
    if snapshot.problem is not None:
        yield f"✖ this screen grows old: {snapshot.problem}"
    for name, service in sorted(snapshot.state.services.items()):
        if service.state not in _RUNNING:
            yield _service_problem(name, service)
    if snapshot.is_stale:
        yield f"✖ no heartbeat of the alarm manager for {age_text(snapshot.silence_s)}"


def _service_problem(name: str, service: ServiceState) -> str:
    detail = f": {service.detail}" if service.detail else ""
    return f"{service_text(service.state)}  {name}{detail}"


def _heading(title: str) -> Text:
    return ScreenText.assemble((f"{title}  ", HEADING))


def _count(line: Text, name: str, count: int, *, wrong: bool) -> None:
    line.append(f"{count} {name}  ", style=ABNORMAL if wrong and count else "")


def _latency(line: Text, name: str, percentiles: Mapping[str, float | None]) -> None:
    p50, p95 = seconds_text(percentiles["p50"]), seconds_text(percentiles["p95"])
    line.append(f"{name} p50 {p50} p95 {p95}  ")


def status_line(snapshot: RunSnapshot) -> str:
    """Return the run in one line, for logs."""
    run, live = snapshot.run, snapshot.run.live
    counts = ", ".join(f"{live[status]} {status}" for status in ("scored", "degraded", "unscored"))
    problems = "; ".join(_problems(snapshot))
    return (
        f"{elapsed_text(snapshot.elapsed_s)} windows {counts}; {run.late} late, "
        f"{run.dead_letters.total()} dead letters; "
        f"alarms {len(run.standing_alarms())} standing, {len(run.raises)} raised; "
        f"{watch_text(snapshot)[0]}; "
        f"{problems or 'all services run'}"
    )
