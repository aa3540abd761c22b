"""Text from outside never moves a cursor, forges a line or turns the reading direction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.text import escaped, is_printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07\x1b[2Jhello", r"\x1b]0;owned\x07\x1b[2Jhello"),
        ("ok\r\nALARM forged", r"ok\r\nALARM forged"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202edef", r"abc\u202edef"),
        ("line\u2028end", r"line\u2028end"),
        ("\ud800", r"\ud800"),
        ("炉\u3000三 café °C", "炉\u3000三 café °C"),
    ],
)
def test_what_moves_a_cursor_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert is_printable(text) == (text == shown)


@given(st.text(st.characters(exclude_categories=[])))
def test_whatever_comes_the_escaped_text_is_printable_and_encodes(text: str) -> None:
    assert is_printable(escaped(text))
    escaped(text).encode()
