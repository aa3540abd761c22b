"""``meltwatch status``: what runs here and where it can be found."""

import os
from typing import Final

from meltwatch_chassis.clock import Clock, SystemClock
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.run_state import RunState
from meltwatch_schemas.wording import service_text, without_password

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.looking import watch_now
from meltwatch_cli.commands.output import DONE, AsJson, print_json, print_line, print_table
from meltwatch_cli.domain.watch import WatchView
from meltwatch_cli.settings import current_run, located

_PRIVATE: Final = {"launcher_pid", "launcher_started"}
_PATIENCE_S: Final = 2
"""A run that starts has no broker yet, and status is often asked for then: do not wait long."""


def status(*, as_json: AsJson = False) -> int:
    """Show the run in this folder: addresses, services, how many furnaces are watched."""
    run = current_run(os.environ)
    watch = _watch(SystemClock())
    if as_json:
        shown = run.model_dump(mode="json", exclude=_PRIVATE)
        print_json(shown | {"furnaces": watch.as_object()})
    else:
        _show(run, watch)
    return DONE


def _watch(clock: Clock) -> WatchView:
    try:
        settings = located(os.environ, "kafka")
        with bootstrap.alarm_topics(settings, _PATIENCE_S) as topics:
            return watch_now(topics, clock, listen=False)
    except FatalError as error:
        return WatchView(problem=str(error))


def _show(run: RunState, watch: WatchView) -> None:
    print_line(f"Meltwatch is {'ready' if run.ready else 'not ready'}.")
    print_line("")
    print_line(f"Furnaces: {watch}")
    print_line("")
    addresses = {
        "Kafka": f"{run.kafka}  (topics {run.topic_prefix}.*)",
        "Redis": without_password(run.redis),
        "Triton": run.triton,
        "console": run.console or "none",
    }
    for name, address in addresses.items():
        print_line(f"  {name:<8} {address}")
    print_line("")
    print_table(
        ("SERVICE", "STATE", "PID", "DETAIL"),
        (
            (name, service_text(service.state), str(service.pid or "-"), service.detail)
            for name, service in sorted(run.services.items())
        ),
    )
    print_line("")
    print_line("See also: meltwatch alarms list, meltwatch alarms tail, meltwatch topics check")
