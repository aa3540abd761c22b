"""``meltwatch topics``: make the catalogue's topics, or say where a broker differs from it."""

import os
from typing import Annotated

import typer
from meltwatch_schemas.topics import DEFAULT_PARTITIONS

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.output import BAD_VERDICT, DONE, AsJson, print_json, print_line
from meltwatch_cli.settings import located

_BROKERS_DEFAULT = -1

Partitions = Annotated[
    int,
    typer.Option(min=1, max=10_000, help="Partitions of both inputs, scores and late alike."),
]
ReplicationFactor = Annotated[
    int,
    typer.Option(min=-1, max=32_767, help="Copies of each partition; -1 is the broker's default."),
]


def create(
    partitions: Partitions = DEFAULT_PARTITIONS,
    replication_factor: ReplicationFactor = _BROKERS_DEFAULT,
    as_json: AsJson = False,
) -> int:
    """Create those topics of the catalogue that are missing."""
    settings = located(os.environ, "kafka")
    created, topics = bootstrap.create_topics(settings, partitions, replication_factor)
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
