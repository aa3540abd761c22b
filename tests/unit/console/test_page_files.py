"""The files of the page: one catalogue of words, small modules, nothing from elsewhere."""

import gzip
import hashlib
import re

import pytest
from meltwatch_console.adapters.http.static_files import FOLDER
from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.wording import PRIORITY_SHAPES

FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())
SCRIPTS = [path for path in FILES if path.suffix == ".js" and "vendor" not in path.parts]
OWN = [path for path in FILES if "vendor" not in path.parts]
SVG_NAME = "http://www.w3.org/2000/svg"
"""A name that browsers know; nobody asks there."""


def catalogue(language: str) -> dict[str, set[str]]:
    """Return the keys of a catalogue, and what each text wants filled in."""
    text = (FOLDER / f"app/words_{language}.js").read_text()
    found = re.findall(r'(?:"([^"]+)"|(\w+)): "((?:[^"\\]|\\.)*)"', text)
    return {quoted or plain: set(re.findall(r"{(\w+)}", words)) for quoted, plain, words in found}


def test_english_and_chinese_have_the_same_words():
    assert catalogue("en") == catalogue("zh")
    assert len(catalogue("en")) > 80


def test_every_word_that_a_page_says_is_in_the_catalogue():
    said = {
        key for path in SCRIPTS for key in re.findall(r'\btext\(\s*"([^"]+)"', path.read_text())
    }
    assert said <= catalogue("en").keys()


def test_every_word_of_the_catalogue_is_said_somewhere():
    source = "\n".join(path.read_text() for path in SCRIPTS if "words_" not in path.name)
    families = tuple(re.findall(r"\btext\(`(\w+_)\$\{", source))
    assert {"key_", "state_", "cause_"} <= set(families)
    quoted = set(re.findall(r'"([^"\n]*)"', source)) | set(
        re.findall(r"^  (\w+): \{", source, re.MULTILINE)
    )
    assert {
        key for key in catalogue("en") if key not in quoted and not key.startswith(families)
    } == set()


def test_the_lists_of_keys_have_every_key_that_has_a_word():
    source = (FOLDER / "app/dialogs.js").read_text()
    listed = re.search(r"const KEYS = \{(.*?)\};", source, re.DOTALL)
    assert listed is not None
    named = {f"key_{key}" for key in re.findall(r'"([^"]+)"', listed[1])}
    assert named == {key for key in catalogue("en") if key.startswith("key_")}


def test_a_priority_has_the_same_shape_on_the_page_and_in_a_terminal():
    source = (FOLDER / "app/wording.js").read_text()
    told = dict(re.findall(r'(\w+): \{ shape: "(.)", number: \d \}', source))
    assert told == {each: PRIORITY_SHAPES[Priority(each)] for each in told}
    assert len(told) == 4


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_small_and_makes_no_markup_of_text(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for banned in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert banned not in text


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_a_file_names_no_other_origin_and_no_inline_style(path):
    text = path.read_text()
    assert (
        re.findall(r"https?://(?!\\)[a-z]", text.replace("https?:", "").replace(SVG_NAME, "")) == []
    )
    assert " style=" not in text
    assert not re.search(r"<script(?![^>]* src=)", text)


def test_the_first_page_is_small_enough_for_a_slow_line():
    packed = sum(len(gzip.compress(path.read_bytes())) for path in FILES if path.suffix != ".txt")
    assert packed <= 120_000


def test_what_is_not_ours_is_as_it_was_taken():
    folder = FOLDER / "vendor"
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines if not line.startswith("#"))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert found == listed
