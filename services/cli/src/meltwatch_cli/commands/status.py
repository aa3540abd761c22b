"""``meltwatch status``: what runs here and where it can be found."""

import os
from typing import Final

from meltwatch_chassis.run_state import RunState

from meltwatch_cli.commands.output import DONE, AsJson, print_json, print_line, print_table
from meltwatch_cli.domain.wording import service_text, without_password
from meltwatch_cli.settings import current_run

_PRIVATE: Final = {"launcher_pid", "launcher_started"}


def status(as_json: AsJson = False) -> int:
    """Show the addresses and services of the run in this folder."""
    run = current_run(os.environ)
    if as_json:
        print_json(run.model_dump(mode="json", exclude=_PRIVATE))
    else:
        _show(run)
    return DONE


def _show(run: RunState) -> None:
    print_line(f"Meltwatch is {'ready' if run.ready else 'not ready'}.\n")
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
    print_line("\nSee also: meltwatch alarms list, meltwatch alarms tail, meltwatch topics check")
