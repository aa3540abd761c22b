"""``meltwatch portrait``: which portraits stand, what one shows, publish one, retire one."""

import os
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.located import located
from meltwatch_chassis.person import checked_reason, user_of
from meltwatch_chassis.terminal import print_json, print_line, print_lines

from meltwatch_backtester import bootstrap
from meltwatch_backtester.adapters.portrait_file import portrait_of_file
from meltwatch_backtester.adapters.portrait_picture import write_portrait_picture
from meltwatch_backtester.commands.options import AsJson, OneFurnace, furnace_named
from meltwatch_backtester.domain.portrait_text import StandingPortrait, listed, standing
from meltwatch_backtester.settings import Settings

Why = Annotated[str, Parameter(help="Why; recorded with it.")]
User = Annotated[str | None, Parameter(help="By default the login name.")]
PortraitFile = Annotated[
    Path,
    Parameter("FILE", allow_leading_hyphen=False, help="Of 'portrait fit --out'."),
]
_NOTHING: Final = 1


def list_(*, as_json: AsJson = False) -> int:
    """List the portraits that stand; exit code 1 if there is none."""
    with bootstrap.portrait_topic(located(Settings, os.environ, "kafka")) as topic:
        found = standing(topic.records())
    shown = [found[name] for name in sorted(found)]
    if as_json:
        print_json([each.document() for each in shown])
    else:
        print_lines(*listed(shown, SystemClock().now_ns()))
    return 0 if shown else _NOTHING


def show(
    *,
    furnace: Annotated[
        str | None, Parameter("--furnace", metavar="ID", help="Whose; or give --file.")
    ] = None,
    file: Annotated[
        Path | None, Parameter(metavar="FILE", help="Read a file of 'portrait fit --out'.")
    ] = None,
    picture: Annotated[
        Path | None,
        Parameter(metavar="FILE", help="Draw what it looks like and what varies where, SVG."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show what a portrait was made of; exit code 1 if none stands."""
    if (furnace is None) == (file is None):
        raise BadUsage("expected --furnace or --file")
    shown = (
        portrait_of_file(file) if file is not None else _of_furnace(furnace_named(furnace or ""))
    )
    if shown is None:
        print_line(f"{furnace}: no portrait stands; see 'meltwatch portrait fit'")
        return _NOTHING
    if picture is not None:
        write_portrait_picture(shown, picture)
    if as_json:
        print_json(shown.document())
    else:
        print_lines(*shown.lines(SystemClock().now_ns()))
    return 0


def publish(file: PortraitFile, /, *, why: Why, user: User = None) -> int:
    """Write a portrait of a file to Kafka: from now on scores compare with it."""
    who, reason = user_of(user), checked_reason(why)
    shown = portrait_of_file(file)
    name = shown.portrait.furnace_id
    with bootstrap.portrait_topic(located(Settings, os.environ, "kafka")) as topic:
        topic.publish(name, shown.value, who, reason)
    print_line(f"{name}: portrait {shown.portrait_id[:16]} published by {who}")
    return 0


def retire(*, furnace: OneFurnace, why: Why, user: User = None) -> int:
    """Take a furnace's portrait away: its scores say nothing of novelty any more."""
    who, reason, name = user_of(user), checked_reason(why), furnace_named(furnace)
    with bootstrap.portrait_topic(located(Settings, os.environ, "kafka")) as topic:
        if name not in standing(topic.records()):
            raise BadUsage(f"expected a furnace with a portrait, {name} has none")
        topic.retire(name, who, reason)
    print_line(f"{name}: portrait retired by {who}")
    return 0


def _of_furnace(furnace_id: str) -> StandingPortrait | None:
    with bootstrap.portrait_topic(located(Settings, os.environ, "kafka")) as topic:
        return standing(topic.records()).get(furnace_id)
