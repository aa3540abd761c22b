"""Rights as commands of Kafka and Redis for those who grant them, and as plain data."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from meltwatch_schemas.access import (
    ACCESS,
    Principal,
    RedisUse,
    Resource,
    Right,
    redis_rules,
    rights_of,
)

from meltwatch_cli.errors import BadUsage

_OPTIONS: Final = {
    Resource.TOPIC: "--topic",
    Resource.GROUP: "--group",
    Resource.TRANSACTIONAL_ID: "--transactional-id",
}
_EVERYBODY: Final = "*"
_USER: Final = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What one user gets.

    Attributes
    ----------
    user
        As it logs in.
    rights
        In Kafka.
    redis
        Rules of its user in Redis, none if it has nothing to do there.
    """

    user: str
    rights: tuple[Right, ...]
    redis: tuple[str, ...]


def grants(principals: Sequence[Principal], prefix: str, user: str | None) -> list[Grant]:
    """Return what each principal gets, or what one user with the rights of all gets.

    Raises
    ------
    BadUsage
        If Redis does not allow such a user name, or Kafka reads it as everybody.
    """
    if user is not None and (user == _EVERYBODY or not _USER.fullmatch(user)):
        raise BadUsage(f"--user: expected a name without blanks, of one user, got {user!r}")
    if user is None:
        return [_grant(each.value, [each], prefix) for each in principals]
    return [_grant(user, principals, prefix)]


def acl_lines(grant: Grant) -> Iterator[str]:
    """Yield the commands of Kafka that give a user its rights, one an operation."""
    ordered = sorted(grant.rights, key=_kind)
    for (resource, operation, prefixed), rights in groupby(ordered, key=_kind):
        option = _OPTIONS.get(resource)
        names = [f"{option} {shlex.quote(each.name)}" for each in rights] if option else []
        yield " ".join(
            [
                "kafka-acls.sh --bootstrap-server $KAFKA --command-config admin.properties",
                f"--add --allow-principal {shlex.quote(f'User:{grant.user}')}",
                f"--operation {operation.title().replace('_', '')}",
                *(["--resource-pattern-type prefixed"] if prefixed else []),
                *(names or ["--cluster"]),
            ]
        )


def redis_lines(grant: Grant) -> Iterator[str]:
    """Yield the command of Redis that makes a user, if it needs one."""
    if grant.redis:
        yield f"ACL SETUSER {grant.user} reset on >PASSWORD {' '.join(grant.redis)}"


def granted(grant: Grant) -> dict[str, Any]:
    """Return a grant as plain data."""
    return {
        "user": grant.user,
        "kafka": [
            {
                "operation": right.operation.value,
                "resource_type": right.resource.value,
                "name": right.name,
                "pattern_type": "PREFIXED" if right.prefixed else "LITERAL",
            }
            for right in grant.rights
        ],
        "redis": list(grant.redis),
    }


def _grant(user: str, principals: Sequence[Principal], prefix: str) -> Grant:
    rights = dict.fromkeys(right for each in principals for right in rights_of(each, prefix))
    uses = [use for use in RedisUse if use in {ACCESS[each].redis for each in principals}]
    rules = dict.fromkeys(rule for use in uses for rule in redis_rules(use, prefix))
    return Grant(user, tuple(rights), tuple(rules))


def _kind(right: Right) -> tuple[Resource, str, bool]:
    return right.resource, right.operation.value, right.prefixed
