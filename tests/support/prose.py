"""How the pages read: words a sentence, semicolons and the longest sentences.

``python -m tests.support.prose [PAGE …]`` lists the pages, the worst first, or a page's longest
sentences. Code blocks, tables, headings and pictures do not count; a list's item is a paragraph
of its own, and code in a line is one word.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Final

from tests.support.source import ROOT

PAGES: Final = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "triton_models" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCE: Final = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_CODE: Final = re.compile(r"`[^`]*`")
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_BESIDE: Final = re.compile(r"^ *(\||#|!\[)")
_ITEM: Final = re.compile(r"^ *(?:[-*]|\d+\.) +")
_END: Final = re.compile(r"(?<=[.!?])[)*\"]* +(?=[A-Z0-9*\"(`])")


@dataclass(frozen=True)
class Prose:
    """What people read of a page."""

    sentences: tuple[str, ...]

    @property
    def mean_words(self) -> float:
        """Words a sentence."""
        return fmean(len(words_of(sentence)) for sentence in self.sentences)

    @property
    def semicolons(self) -> int:
        """How many semicolons stand in its sentences."""
        return sum(sentence.count(";") for sentence in self.sentences)

    def longest(self, count: int) -> list[str]:
        """Give its longest sentences."""
        return sorted(self.sentences, key=lambda each: -len(words_of(each)))[:count]


def prose_of(text: str) -> Prose:
    """Return the sentences of a Markdown text."""
    plain = _COMMENT.sub("", _FENCE.sub("\n", text))
    return Prose(tuple(s for part in _paragraphs(plain) for s in _END.split(part) if words_of(s)))


def words_of(sentence: str) -> list[str]:
    """Return what counts as a word."""
    return [word for word in sentence.split() if re.search(r"\w", word)]


def _paragraphs(text: str) -> Iterator[str]:
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        ends = not line.strip() or _BESIDE.match(line)
        if lines and (ends or _ITEM.match(line)):
            yield _plain(" ".join(lines))
            lines = []
        if not ends:
            lines.append(_ITEM.sub("", line).strip())


def _plain(paragraph: str) -> str:
    return _LINK.sub(r"\1", _CODE.sub("CODE", paragraph))


def print_longest(page: Path) -> None:
    """Print a page's longest sentences."""
    for sentence in prose_of(page.read_text()).longest(15):
        print(f"{len(words_of(sentence)):4} {sentence}")


def print_pages() -> None:
    """Print how each page reads, the longest sentences first."""
    found = [(prose_of(page.read_text()), page.relative_to(ROOT)) for page in PAGES]
    print("words  ;  sentences  page")
    for prose, page in sorted(found, key=lambda each: -each[0].mean_words):
        print(f"{prose.mean_words:5.1f} {prose.semicolons:3} {len(prose.sentences):9}  {page}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print_longest(Path(name))
    if not sys.argv[1:]:
        print_pages()
