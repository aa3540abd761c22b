"""``meltwatch topics``: make the catalogue's topics, wait for them, say what differs, who may."""

import os
import time
from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.settings import load
from meltwatch_schemas.access import Principal
from meltwatch_schemas.topics import DEFAULT_PARTITIONS
from meltwatch_schemas.window import NS_PER_S

from meltwatch_cli import bootstrap
from meltwatch_cli.commands.output import BAD_VERDICT, DONE, AsJson, print_json, print_line
from meltwatch_cli.domain.rights import Grant, acl_lines, granted, grants, redis_lines
from meltwatch_cli.settings import Settings, located

_BROKERS_DEFAULT = -1
_POLL_S: Final = 1.0

Partitions = Annotated[
    int,
    Parameter(
        validator=Number(gte=1, lte=10_000),
        help="Partitions of both inputs, scores and late alike.",
    ),
]
ReplicationFactor = Annotated[
    int,
    Parameter(
        validator=Number(gte=-1, lte=32_767),
        help="Copies of each partition; -1 leaves it to the broker.",
    ),
]
MinIsr = Annotated[
    int | None,
    Parameter(
        "--min-isr",
        validator=Number(gte=1, lte=32_767),
        help="min.insync.replicas of each topic; not checked if absent.",
    ),
]
OneUser = Annotated[
    str | None, Parameter("--user", help="One user with the rights of all that are named.")
]
Principals = Annotated[
    list[Principal] | None,
    Parameter(
        "PRINCIPAL…",
        name_transform=str.lower,
        allow_leading_hyphen=False,
        help="Whose rights; of all, if none is named.",
    ),
]
PatienceS = Annotated[
    int,
    Parameter(
        "--patience", validator=Number(gte=1), help="Longest wait for a broker that is away, s."
    ),
]
LongestS = Annotated[int, Parameter("--for", validator=Number(gte=1), help="Longest wait, s.")]


def create(
    *,
    partitions: Partitions = DEFAULT_PARTITIONS,
    replication_factor: ReplicationFactor = _BROKERS_DEFAULT,
    min_isr: MinIsr = None,
    patience_s: PatienceS = bootstrap.PATIENCE_S,
    as_json: AsJson = False,
) -> int:
    """Create those topics of the catalogue that are missing."""
    settings = located(os.environ, "kafka")
    replication = bootstrap.replication(replication_factor, min_isr)
    created, topics = bootstrap.create_topics(settings, partitions, replication, patience_s)
    if as_json:
        print_json({"created": created})
        return DONE
    for name in created:
        print_line(f"created {name}")
    print_line(f"{len(topics) - len(created)} of {len(topics)} topics were there already")
    return DONE


def check(
    *,
    partitions: Partitions = DEFAULT_PARTITIONS,
    replication_factor: ReplicationFactor = _BROKERS_DEFAULT,
    min_isr: MinIsr = None,
    as_json: AsJson = False,
) -> int:
    """Say where the broker differs from the catalogue; exit code 1 if it does."""
    settings = located(os.environ, "kafka")
    replication = bootstrap.replication(replication_factor, min_isr)
    problems, topics = bootstrap.check_topics(settings, partitions, replication)
    if as_json:
        print_json({"problems": problems})
    else:
        for line in problems or [f"all {len(topics)} topics are as they should be"]:
            print_line(line)
    return BAD_VERDICT if problems else DONE


def wait(*, longest_s: LongestS = 300) -> int:
    """Wait until the broker has every topic of the catalogue; exit code 3 if that takes too long.

    Topics that the user may not see are not waited for. What else a service wants of its topics
    it checks itself.
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


def acls(principals: Principals = None, /, *, user: OneUser = None, as_json: AsJson = False) -> int:
    """Print the least rights that each service and user needs, as commands for Kafka and Redis.

    The topic prefix is that of MELTWATCH_TOPIC_PREFIX; the broker is not asked or changed.
    """
    prefix = load(Settings, os.environ).topic_prefix
    found = grants(principals or list(Principal), prefix, user)
    if as_json:
        print_json([granted(grant) for grant in found])
        return DONE
    for line in _paragraphs(found):
        print_line(line)
    return DONE


def _paragraphs(found: list[Grant]) -> Iterator[str]:
    yield "# Kafka: the rights of each user, and no others. Run them where $KAFKA is the broker."
    for grant in found:
        yield from acl_lines(grant)
    yield ""
    yield "# Redis: as the default user. Replace each PASSWORD."
    for grant in found:
        yield from redis_lines(grant)
