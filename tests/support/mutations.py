"""Every field of a message, one at a time and in pairs: left out, of another type, or extreme.

::

    for name, fields in mutants(valid_fields):
        ...

Knows nothing of any message: it changes whatever it finds, however deep.
"""

import math
import random
from collections.abc import Iterator
from copy import copy
from typing import Any, Final

Path = tuple[str | int, ...]
GONE: Final = object()
_NUMBERS: Final = {
    "minus_one": -1,
    "zero": 0,
    "million": 10**6,
    "int64": 2**63 - 1,
    "beyond_int64": 2**63,
    "uint64": 2**64 - 1,
    "lowest": -(2**63),
    "huge": 1e308,
    "tiny": 5e-324,
    "negative_huge": -1e308,
    "nan": math.nan,
    "infinity": math.inf,
}
_TEXTS: Final = {
    "empty": "",
    "long": "x" * 5_000,
    "longer_than_a_record": "x" * 300_000,
    "escape": "\x1b]0;owned\x07\x1b[2J",
    "line_ends": "a\r\nb\u2028c",
    "turned_round": "\u202eabc",
    "nul": "\x00",
    "path": "../../etc",
    "time": "0001-01-01T00:00:00+14:00",
    "far": "9999-12-31T23:59:59-12:00",
}
_OTHERS: Final = {
    "left_out": GONE,
    "nil": None,
    "true": True,
    "text": "7",
    "list": [],
    "list_of_nil": [None],
    "long_list": [1] * 20_000,
    "map": {},
    "deep": {"a": {"a": {"a": {"a": [[[[]]]]}}}},
}
_BYTES: Final = {"no_bytes": b"", "some_bytes": b"7", "many_bytes": bytes(100_000)}


def mutants(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the message with each of its fields changed in each way, and a name for the change."""
    for path in _paths(fields):
        for name, value in _changes(_at(fields, path)).items():
            yield f"{'.'.join(map(str, path))}:{name}", _changed(fields, [(path, value)])


def pairs(fields: dict[str, Any], count: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the message with two fields changed at a time, so many times."""
    chance, paths = random.Random(seed), list(_paths(fields))
    for _ in range(count):
        chosen = chance.sample(paths, 2)
        picked = [
            (path, *chance.choice(list(_changes(_at(fields, path)).items()))) for path in chosen
        ]
        name = " ".join(f"{'.'.join(map(str, path))}:{word}" for path, word, _ in picked)
        yield name, _changed(fields, [(path, value) for path, _, value in picked])


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _paths(child, (*path, name))
    elif isinstance(value, list):
        for place, child in enumerate(value[:2]):
            yield from _paths(child, (*path, place))


def _changes(value: Any) -> dict[str, Any]:
    ways: dict[str, Any] = dict(_OTHERS)
    if isinstance(value, bytes):
        return ways | _BYTES | {"short": value[:-1], "other_bytes": b"\xff" * len(value)}
    if isinstance(value, str):
        return ways | _TEXTS
    return ways | _NUMBERS | {"text_of_control": "\x1b[2J"}


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _changed(fields: dict[str, Any], changes: list[tuple[Path, Any]]) -> dict[str, Any]:
    made = fields
    for path, value in changes:
        try:
            made = _with(made, path, value)
        except (KeyError, IndexError, TypeError):
            continue  # the other change has taken its place away
    return made


def _with(whole: Any, path: Path, value: Any) -> Any:
    """Copy what lies on the way alone: thousands of changes share the rest."""
    made, part = copy(whole), path[0]
    if len(path) > 1:
        made[part] = _with(whole[part], path[1:], value)
    elif value is GONE:
        del made[part]
    else:
        made[part] = value
    return made
