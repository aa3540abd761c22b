"""YAML that means what it looks like: one document of plain data, each value with its line.

PyYAML follows YAML 1.1, where ``0300`` is 192, ``1:30`` is 90, ``no`` is false, a date that does
not exist is a traceback, and of two equal keys the last one wins. Here each of them is refused.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from meltwatch_schemas.text import escaped

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 200_000
"""In the whole document; the content of an alias counts each time."""
_NUMBER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)?(\.[0-9]+)?(?<=[0-9])([eE][-+]?[0-9]{1,3})?")
_MAX_DIGITS: Final = 32
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_TEXT: Final = "tag:yaml.org,2002:str"
_DATE: Final = "tag:yaml.org,2002:timestamp"

Place = tuple[int | str, ...]


class YamlError(Exception):
    """A file is not what this reader takes.

    Parameters
    ----------
    line
        From 1.
    fault
        One line: what was expected and what came.
    """

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"{line}: {fault}")


class Document:
    """Plain data of a YAML file, and on which line each value stands.

    Attributes
    ----------
    value
        Mappings, lists, texts, numbers, booleans and None; a date is the text that was written.
    """

    def __init__(self, root: yaml.Node | None) -> None:
        self._lines: dict[Place, int] = {}
        self._left = MAX_VALUES
        self.value: Any = None if root is None else self._built(root, ())

    def line(self, place: Place) -> int:
        """Return the line of the deepest value on the way to a place that the file has."""
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place, 1)

    def json(self) -> str:
        """Return the data as JSON, for a reader that converts nothing silently."""
        return json.dumps(self.value)

    def _built(self, node: yaml.Node, place: Place) -> Any:
        self._left -= 1
        if self._left < 0 or len(place) > MAX_DEPTH:
            raise _error(node, f"expected at most {MAX_VALUES} values {MAX_DEPTH} deep, got more")
        self._lines[place] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            pairs = _pairs(node, self._place(place))
            return {key: self._built(value, (*place, key)) for key, value in pairs.items()}
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node, self._place(place))
        return [self._built(item, (*place, number)) for number, item in enumerate(node.value)]

    @staticmethod
    def _place(place: Place) -> str:
        return "".join(f"{part}." for part in place)[:-1] or "document"


def read_yaml(path: Path) -> Document:
    """Return the one document that a file holds.

    Raises
    ------
    OSError
        If it is no file, or cannot be read.
    YamlError
        With the line, if it is not UTF-8, no YAML, too large, or says what people read otherwise.
    """
    if not path.is_file():
        found = "something else" if path.exists() else "none"
        raise FileNotFoundError(f"expected a file, got {found}")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise YamlError(1, f"expected at most {MAX_BYTES} bytes, got more")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlError(line, f"expected UTF-8, got byte {content[error.start]:#04x}") from error
    return Document(_composed(text))


class _Loader(yaml.SafeLoader):
    """Composes one document; refuses tags, and nesting that is too deep for Python's stack."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # half typed
        line = event.start_mark.line + 1
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise YamlError(line, f"expected no tags, got {_shown(tag)}")
        if self._depth > MAX_DEPTH:
            raise YamlError(line, f"expected at most {MAX_DEPTH} levels, got more")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _composed(text: str) -> yaml.Node | None:
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        fault = escaped(" ".join(filter(None, (error.context, error.problem))))
        raise YamlError(line, f"expected YAML, {fault}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, f"expected text, got character {error.character:#x}") from error
    except (ValueError, OverflowError) as error:  # a number that is no character: "\UFFFFFFFF"
        line = 1 if loader is None else loader.line + 1
        raise YamlError(line, f"expected YAML, found {error}") from error


def _pairs(node: yaml.MappingNode, place: str) -> Mapping[str, yaml.Node]:
    """Return the values by key; a mapping's own keys win over those that ``<<`` brings in."""
    own: dict[str, yaml.Node] = {}
    merged: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _error(key, f"{place}: expected a word as key, got a list or a mapping")
        if key.value in own or (_is_merge(key) and merged):
            raise _error(key, f"{place}: expected each key once, got {_shown(key.value)} again")
        if not _is_merge(key):
            _scalar(key, place)
            own[key.value] = value
            continue
        for name, inherited in _inherited(key, value, place):
            if name in merged:
                raise _error(key, f"{place}: expected each key once, got {_shown(name)} again")
            merged[name] = inherited
    return merged | own


def _inherited(key: yaml.Node, node: yaml.Node, place: str) -> Iterator[tuple[str, yaml.Node]]:
    sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for source in sources:
        if not isinstance(source, yaml.MappingNode):
            raise _error(key, f"{place}: expected a mapping to merge, got something else")
        if any(_is_merge(name) for name, _ in source.value):
            raise _error(key, f"{place}: expected a mapping without a merge of its own")
        yield from _pairs(source, place).items()


def _is_merge(key: yaml.Node) -> bool:
    return key.tag == "tag:yaml.org,2002:merge"


def _scalar(node: yaml.ScalarNode, place: str) -> Any:
    """Return the value that a scalar looks like; refuse one that YAML reads as something else."""
    try:
        # JSON writes a character beyond the first 65,536 as two halves.
        text: str = node.value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise _error(node, f"{place}: expected text, got half a character") from None
    if node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return _number(node, place)
    if node.tag not in {_TEXT, _DATE} or (node.tag == _DATE and not _is_date(node)):
        raise _error(
            node,
            f"{place}: expected a number or a date as people write them, true, false, "
            f"or text in quotes, got {_shown(text)}",
        )
    return text


def _number(node: yaml.ScalarNode, place: str) -> int | float:
    text = node.value
    is_whole = text.lstrip("+-").isdigit()
    if len(text) > _MAX_DIGITS or not math.isfinite(float(text)):
        raise _error(node, f"{place}: expected a number within reason, got {_shown(text)}")
    return int(text) if is_whole else float(text)


def _is_date(node: yaml.ScalarNode) -> bool:
    try:
        yaml.SafeLoader("").construct_yaml_timestamp(node)
    except (ValueError, OverflowError):
        return False
    return True


def _shown(text: str) -> str:
    return repr(escaped(text[:80]))


def _error(node: yaml.Node, fault: str) -> YamlError:
    return YamlError(node.start_mark.line + 1, fault)
