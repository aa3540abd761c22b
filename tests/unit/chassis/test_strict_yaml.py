"""Whatever bytes a plant file holds: a plant, or one line with file and line number."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.plant import Plant, read_plant
from meltwatch_chassis.strict_yaml import MAX_BYTES, YamlError, read_yaml

from tests.support.examples import examples

PLANTS = Path(__file__).parent / "plants"
EXAMPLE = (Path(__file__).parents[3] / "examples" / "plant.yaml").read_bytes()
BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plant.yaml"


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("bad_date", 24, "2026-02-30"),
        ("deep", 1, "at most 32 levels"),
        ("dup_furnaces", 4, "'furnaces' again"),
        ("dup_logit_on", 23, "'logit_on' again"),
        ("dup_setpoint", 24, "'setpoint' again"),
        ("octal", 22, "0300"),
    ],
)
def test_a_file_that_people_read_otherwise_is_refused(name: str, line: int, said: str) -> None:
    file = PLANTS / f"{name}.yaml"

    with pytest.raises(ConfigurationError, match=re.escape(said)) as error:
        read_plant(file)

    assert str(error.value).startswith(f"{file}:{line}: ")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("300", 300),
        ("-2.5", -2.5),
        ("+5", 5),
        (".5", 0.5),
        ("1.5e3", 1500.0),
        ("0.10", 0.1),
        ("true", True),
        ("~", None),
        ("Furnace 3", "Furnace 3"),
        ("'0300'", "0300"),
        ('"yes"', "yes"),
        ("2026-02-28", "2026-02-28"),
        ("2026-02-28T10:00:00Z", "2026-02-28T10:00:00Z"),
        ("熔炉", "熔炉"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_a_value_is_what_it_looks_like(file: Path, written: str, read: object) -> None:
    file.write_text(f"value: {written}", encoding="utf-8")

    value = read_yaml(file).value["value"]

    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize(
    "written",
    [
        *("0300", "0x10", "0b1", "1_000", "1:30", "190:20:30", "00.5", "1_0.5", "2026-02-30"),
        *("yes", "no", "On", "off", "TRUE", "Null", ".nan", "-.inf", "1e999", "9" * 40, "="),
        *("!!python/object/apply:os.getcwd []", "!!int '5'", "!mine 5", "2026-01-01T99:00:00Z"),
        *('"\\ud800"', '"\\UFFFFFFFF"', "2026-01-01T00:00:00+99:99", "5."),
    ],
)
def test_a_value_that_people_read_otherwise_is_refused_with_its_line(
    file: Path, written: str
) -> None:
    file.write_text(f"first: 1\nvalue: {written}\n")

    with pytest.raises(YamlError, match=r"^2: "):
        read_yaml(file)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: {c: 1, c: 2}", 2, "'c' again"),
        ("a: 1\n---\nb: 1", 2, "single document"),
        ("a:\n\t- 1", 2, "tab|'\\\\t'|token"),
        ("a: *b", 1, "undefined alias"),
        ("a: 1\n? [x]\n: 1", 2, "a word as key"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}", 2, "'<<' again"),
        ("a: &a {x: 1}\nb: {<<: [*a, *a]}", 2, "'x' again"),
        ("a: &a {x: 1}\nb: &b {<<: *a}\nc: {<<: *b}", 3, "merge of its own"),
        ("a: &a {x: 1}\nb: {<<: 5}", 2, "mapping to merge"),
        ("a: &a [*a]", 1, "deep, got more"),
        (BOMB, 0, "values 32 deep, got more"),
        ("a: 1\nb: \x07", 2, "character 0x7"),
        ("x: " + "[" * 100_000, 1, "32 levels"),
        ("a: 1\n0300: 2", 2, "0300"),
    ],
)
def test_what_would_be_guessed_or_never_end_is_refused(
    file: Path, text: str, line: int, said: str
) -> None:
    file.write_text(text)

    with pytest.raises(YamlError, match=said) as error:
        read_yaml(file)

    assert line in {0, int(str(error.value).partition(":")[0])}


def test_a_merge_gives_what_a_mapping_does_not_say_itself(file: Path) -> None:
    file.write_text("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\n")

    document = read_yaml(file)

    assert document.value["b"] == {"x": 3, "y": 2}
    assert [document.line(("b", key)) for key in "xy"] == [4, 1]


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"a: 1\nb: \xff", 2), ("a: 1".encode("utf-16"), 1), (b"#" * (MAX_BYTES + 1), 1)],
)
def test_what_is_no_text_of_bounded_size_is_refused(file: Path, content: bytes, line: int) -> None:
    file.write_bytes(content)

    with pytest.raises(YamlError, match=rf"^{line}: expected (UTF-8|at most)"):
        read_yaml(file)


def test_a_byte_order_mark_is_no_fault(file: Path) -> None:
    file.write_bytes(EXAMPLE)
    plain = read_plant(file)
    file.write_bytes(b"\xef\xbb\xbf" + EXAMPLE)

    assert read_plant(file) == plain


def test_a_folder_a_pipe_and_a_device_are_no_files(file: Path, tmp_path: Path) -> None:
    os.mkfifo(file)

    for path in (file, tmp_path, Path("/dev/zero"), tmp_path / "absent", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigurationError, match=r"^MELTWATCH_PLANT_FILE: "):
            read_plant(path)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a good plant file with a piece replaced."""
    start = draw(st.integers(0, len(EXAMPLE)))
    end = draw(st.integers(start, min(len(EXAMPLE), start + 40)))
    pieces = ["&a ", "*a", "<<: ", "!!int ", "[", "{", "}", "\n", "- ", ": ", "'", '"\\x', "0300"]
    piece = draw(st.one_of(st.binary(max_size=8), st.sampled_from([p.encode() for p in pieces])))
    return EXAMPLE[:start] + piece + EXAMPLE[end:]


@examples(100)
@given(content=st.one_of(damaged(), st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_any_bytes_are_a_plant_or_one_line_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    file.write_bytes(content)

    read: Plant | str
    try:
        read = read_plant(file)
    except ConfigurationError as error:
        read = str(error)

    assert isinstance(read, Plant) or re.match(rf"{re.escape(str(file))}:\d+: ", read)
    assert isinstance(read, Plant) or read.isprintable()
