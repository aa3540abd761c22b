"""``meltwatch topics``: make the catalogue's topics, wait for them, or say what differs."""

import os
import time
from typing import Annotated, Final

import typer
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_schemas.topics import DEFAULT_PARTITIONS
from meltwatch_schemas.window import NS_PER_S

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.output import BAD_VERDICT, DONE, AsJson, print_json, print_line
from meltwatch_cli.settings import located

_BROKERS_DEFAULT = -1
_POLL_S: Final = 1.0

Partitions = Annotated[
    int,
    typer.Option(min=1, max=10_000, help="Partitions of both inputs, scores and late alike."),
]
ReplicationFactor = Annotated[
    int,
    typer.Option(min=-1, max=32_767, help="Copies of each partition; -1 is the broker's default."),
]
PatienceS = Annotated[
    int, typer.Option("--patience", min=1, help="Longest wait for a broker that is away, s.")
]
LongestS = Annotated[int, typer.Option("--for", min=1, help="Longest wait, s.")]


def create(
    partitions: Partitions = DEFAULT_PARTITIONS,
    replication_factor: ReplicationFactor = _BROKERS_DEFAULT,
    patience_s: PatienceS = bootstrap.PATIENCE_S,
    as_json: AsJson = False,
) -> int:
    """Create those topics of the catalogue that are missing."""
    settings = located(os.environ, "kafka")
    created, topics = bootstrap.create_topics(settings, partitions, replication_factor, patience_s)
    if as_json:
        print_json({"created": created})
        return DONE
    for name in created:
        print_line(f"created {name}")
    print_line(f"{len(topics) - len(created)} of {len(topics)} topics were there already")
    return DONE


def check(partitions: Partitions = DEFAULT_PARTITIONS, as_json: AsJson = False) -> int:
    """Say where the broker differs from the catalogue; exit code 1 if it does."""
    problems, topics = bootstrap.check_topics(located(os.environ, "kafka"), partitions)
    if as_json:
        print_json({"problems": problems})
    else:
        for line in problems or [f"all {len(topics)} topics are as they should be"]:
            print_line(line)
    return BAD_VERDICT if problems else DONE


def wait(longest_s: LongestS = 300) -> int:
    """Wait until the broker has every topic of the catalogue; exit code 3 if that takes too long.

    What else a service wants of its topics it checks itself.
    """
    settings, clock = located(os.environ, "kafka"), SystemClock()
    end_ns = clock.monotonic_ns() + longest_s * NS_PER_S
    said = None
    while (lack := bootstrap.topics_lacking(settings)) is not None:
        if clock.monotonic_ns() > end_ns:
            raise DependencyUnreachable(f"{lack}; gave up after {longest_s} s")
        if lack != said:
            print_line(f"waiting: {lack}")
            said = lack
        time.sleep(_POLL_S)
    print_line("every topic is there")
    return DONE
