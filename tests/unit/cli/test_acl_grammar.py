"""The shell lines of ``meltwatch topics acls``, read by a shell and by the grammar of kafka-acls.

Kafka's tool is not among what the tests have: the broker of the wheel comes without its scripts.
So its grammar is written down here anew, after its source (``AclCommand``, ``AclEntry``), and
stricter: no abbreviation, each option that names one thing once. It shares no code with the
command. A shell takes the lines apart. That the rights suffice is tried on a real broker, by its
own protocol (``tests/integration/secured``).
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from meltwatch_cli.domain.rights import acl_lines, grants
from meltwatch_schemas.access import CLUSTER_NAME, Operation, Principal, Resource, Right, rights_of

from tests.support.examples import examples

ONCE = {"--bootstrap-server", "--command-config", "--resource-pattern-type"}
MANY = {"--allow-principal", "--operation", "--topic", "--group", "--transactional-id"}
FLAGS = {"--add", "--cluster"}
OPERATIONS = {
    "Read": Operation.READ,
    "Write": Operation.WRITE,
    "Create": Operation.CREATE,
    "Describe": Operation.DESCRIBE,
    "DescribeConfigs": Operation.DESCRIBE_CONFIGS,
}
RESOURCES = {
    "--topic": Resource.TOPIC,
    "--group": Resource.GROUP,
    "--transactional-id": Resource.TRANSACTIONAL_ID,
}
SUPPORTED = {
    Resource.TOPIC: {"Read", "Write", "Create", "Describe", "DescribeConfigs"},
    Resource.GROUP: {"Read", "Describe"},
    Resource.TRANSACTIONAL_ID: {"Describe", "Write"},
    Resource.CLUSTER: {"Create", "Describe", "DescribeConfigs"},
}
"""Kafka refuses a line that gives another operation on such a thing."""
KAFKA = "broker-1.example:9092,[::1]:9092"
START = [
    *("--bootstrap-server", KAFKA, "--command-config", "admin.properties"),
    *("--add", "--allow-principal", "User:u", "--operation", "Read"),
]


class NotInGrammarError(Exception):
    """What the tool would not take, or would take as something else."""


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for word in rest:
        if word in FLAGS:
            yield word, ""
            continue
        if word not in ONCE | MANY:
            raise NotInGrammarError(f"{word!r}: no such option")
        value = next(rest, "")
        if not value or value != value.strip() or value.startswith("-"):
            raise NotInGrammarError(f"{word}: {value!r} is no value: the tool strips blanks")
        yield word, value


def parsed(words: list[str]) -> tuple[set[str], set[Right]]:
    """Return whom a command line gives rights, and which: each operation on each resource."""
    given: dict[str, list[str]] = {}
    for option, value in _options(words):
        given.setdefault(option, []).append(value)
    for option in (ONCE | FLAGS) & given.keys():
        if len(given[option]) > 1:
            raise NotInGrammarError(f"{option}: more than once")
    for option in ("--bootstrap-server", "--add", "--allow-principal", "--operation"):
        if option not in given:
            raise NotInGrammarError(f"{option}: not given; without operations it would mean all")
    kind = given.get("--resource-pattern-type", ["literal"])[0]
    if kind not in ("literal", "prefixed"):
        raise NotInGrammarError(f"--add with the pattern type {kind!r}")
    return set(map(_user, given["--allow-principal"])), set(_rights(given, kind == "prefixed"))


def _user(principal: str) -> str:
    kind, colon, name = principal.partition(":")
    if (kind, colon) != ("User", ":") or name in ("", "*"):
        raise NotInGrammarError(f"{principal!r}: no single user")
    return name


def _rights(given: dict[str, list[str]], is_prefixed: bool) -> Iterator[Right]:
    things = [
        (resource, name, is_prefixed)
        for option, resource in RESOURCES.items()
        for name in given.get(option, [])
    ]
    if "--cluster" in given:  # there is one, whatever the pattern type says
        things.append((Resource.CLUSTER, CLUSTER_NAME, False))
    if not things:
        raise NotInGrammarError("no resource")
    for resource, name, prefixed in things:
        if name == "*":
            raise NotInGrammarError("every one of a kind")
        for operation in given["--operation"]:
            if operation not in SUPPORTED[resource]:
                raise NotInGrammarError(f"{resource} does not support {operation}")
            yield Right(OPERATIONS[operation], resource, name, prefixed)


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program of the tool's name, which tells what it was given."""
    folder = tmp_path_factory.mktemp("tool")
    program = folder / "kafka-acls.sh"
    program.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" END\n")
    program.chmod(0o755)
    return folder


def _given_to(tool: Path, lines: list[str]) -> list[list[str]]:
    """Let a shell run lines; return the words that the tool was given by each."""
    done = subprocess.run(
        ["/bin/sh", "-eu"],
        input="\n".join(lines) + "\n",
        cwd=tool,
        env={"PATH": f"{tool}:/usr/bin:/bin", "KAFKA": KAFKA},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    calls = [call.split("\0")[:-1] for call in done.stdout.split("END\0")]
    assert calls.pop() == []
    return calls


def _taken(tool: Path, lines: list[str]) -> dict[str, set[Right]]:
    taken: dict[str, set[Right]] = {}
    for words in _given_to(tool, lines):
        assert words[:4] == START[:4]
        users, rights = parsed(words)
        (user,) = users
        taken.setdefault(user, set()).update(rights)
    return taken


@pytest.mark.programs
@pytest.mark.parametrize("prefix", ["meltwatch", "works.north-2_b"])
def test_the_lines_give_each_user_its_rights_and_no_others(tool: Path, prefix: str):
    found = grants(list(Principal), prefix, None)
    lines = [line for grant in found for line in acl_lines(grant)]

    taken = _taken(tool, lines)

    assert taken == {each.value: set(rights_of(each, prefix)) for each in Principal}


@pytest.mark.programs
@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(
        st.characters(min_codepoint=ord("!"), max_codepoint=ord("~")), min_size=1, max_size=40
    ).map(lambda name: name if name != "*" else "CN=*")
    | st.sampled_from(["CN=dcs,O='x'", "$(id)", "`id`", "a;id", "--remove", "\\'", "#", "~", "!!"])
)
def test_a_user_of_any_name_is_one_word_and_gets_no_more(tool: Path, user: str):
    (grant,) = grants([Principal.OPERATOR, Principal.TOPICS], "meltwatch", user)

    taken = _taken(tool, list(acl_lines(grant)))

    assert taken == {user: set(grant.rights)}


@pytest.mark.parametrize(
    "words",
    [
        [*START[:-2], "--topic", "t"],
        START,
        [*START, "--topic"],
        [*START, "--topic", "*"],
        [*START, "--topic", "--group"],
        [*START, "--topics", "t"],
        [*START, "t"],
        [*START, "--add", "--topic", "t"],
        [*START, "--remove", "--topic", "t"],
        [*START, "--cluster"],
        [*START, "--cluster", "kafka-cluster"],
        [*START, "--operation", "Write", "--group", "g"],
        [*START, "--operation", "DESCRIBE_CONFIGS", "--topic", "t"],
        [*START, "--resource-pattern-type", "PREFIX", "--topic", "t"],
        [*START, "--allow-principal", "u", "--topic", "t"],
        [*START, "--allow-principal", "User:*", "--topic", "t"],
    ],
)
def test_what_the_tool_would_not_take_is_refused(words: list[str]):
    with pytest.raises(NotInGrammarError):
        parsed(words)
