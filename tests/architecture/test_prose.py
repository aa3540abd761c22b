"""The pages are read by people on a shift: short sentences, few semicolons."""

from pathlib import Path

import pytest

from tests.support.prose import PAGES, prose_of, words_of
from tests.support.source import ROOT

MEAN_WORDS = 20
LONGEST_WORDS = 45
SEMICOLONS = 3
DECISIONS = [page for page in PAGES if page.parent.name == "adr"]
READ = [page for page in PAGES if page not in DECISIONS]
# A decision is amended, never rewritten: how it was said stays.
MEAN_WORDS_OF_A_DECISION = 26


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_can_be_understood_at_first_reading(page: Path) -> None:
    prose = prose_of(page.read_text())

    assert prose.mean_words <= MEAN_WORDS
    assert [s for s in prose.sentences if len(words_of(s)) > LONGEST_WORDS] == []
    assert prose.semicolons <= SEMICOLONS


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_is_no_longer_winded_than_they_were(page: Path) -> None:
    assert prose_of(page.read_text()).mean_words <= MEAN_WORDS_OF_A_DECISION


def test_prose_is_measured_without_code_tables_and_headings() -> None:
    prose = prose_of(
        "# One; two\n\nRead `a; b` in [the page](x.md). It is (mostly) short.\nGo on; stop.\n"
        "- An item.\n- Another\n  one\n\n| a; b | c |\n\n```\ncode; code.\n```\n"
    )

    assert prose.sentences == (
        "Read CODE in the page.",
        "It is (mostly) short.",
        "Go on; stop.",
        "An item.",
        "Another one",
    )
    assert prose.semicolons == 1
    assert prose.mean_words == pytest.approx((5 + 4 + 3 + 2 + 2) / 5)
