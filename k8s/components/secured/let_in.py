"""Let users into the laptop's broker: their passwords from files, their rights from the catalogue.

It runs beside the broker, as an administrator. When a password's file changes, it tells the broker.
What it has done it says by a file that the pod's readiness asks for.
"""

import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError
from meltwatch_schemas.access import Principal, Right, rights_of
from meltwatch_schemas.topics import DEFAULT_PREFIX

BROKER = "127.0.0.1:29092"
DONE = Path("/tmp/let-in")  # noqa: S108 - the one writable folder of the container
POLL_S = 1.0


def main(folder: Path) -> None:
    """Keep the broker's users as the files of a folder say, each named after its user."""
    known: dict[str, str] = {}
    while True:
        told = passwords(folder)
        if told != known:
            try:
                let_in({user: told[user] for user in told if told[user] != known.get(user)})
            except KafkaError as error:
                say(f"waiting: {error}")
            else:
                known = told
                DONE.touch()
        time.sleep(POLL_S)


def passwords(folder: Path) -> dict[str, str]:
    """Return the password of each user."""
    files = [file for file in folder.iterdir() if not file.name.startswith(".")]
    return {Principal(file.name): file.read_text().rstrip("\n") for file in files}


def let_in(changed: Mapping[str, str]) -> None:
    """Give users their passwords and rights."""
    acls = [
        acl(user, right) for user in changed for right in rights_of(Principal(user), DEFAULT_PREFIX)
    ]
    with closing(KafkaAdminClient(bootstrap_servers=[BROKER])) as admin:
        admin.alter_user_scram_credentials(
            UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password)
            for user, password in changed.items()
        )
        refused = admin.create_acls(acls)["failed"]
    if refused:
        raise KafkaError(f"expected the broker to take every right, it refused {refused}")
    for user in sorted(changed):
        rights = sum(each.principal == f"User:{user}" for each in acls)
        say(f"{user} has its password and {rights} rights")


def acl(user: str, right: Right) -> ACL:
    """Return a right as Kafka writes it."""
    pattern = ACLResourcePatternType.PREFIXED if right.prefixed else ACLResourcePatternType.LITERAL
    what = ResourcePattern(ResourceType[right.resource], right.name, pattern)
    return ACL(f"User:{user}", "*", ACLOperation[right.operation], ACLPermissionType.ALLOW, what)


def say(line: str) -> None:
    """Write a line to the log."""
    print(f"let-in: {line}", flush=True)  # noqa: T201 - its log


if __name__ == "__main__":
    main(Path(sys.argv[1]))
