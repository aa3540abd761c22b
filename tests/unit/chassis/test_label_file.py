"""Labels survive their files, and what is no such file is refused in one line."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.label_file import labels_as_csv, labels_as_json, read_labels
from meltwatch_schemas.alarm import AlarmVerdict
from meltwatch_schemas.labels import Label

from tests.support.examples import examples

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXTS = st.text(max_size=40).filter(str.isprintable) | st.sampled_from(
    ["=1+1", "'=1", "'", '"', "a,b", ' "x" ', "@sum", "-1", "+1", "炉 3", "a\\nb"]
)
LABELS = st.builds(
    Label,
    furnace=st.sampled_from(["a/F1", "dashiqiao/smelting-1/FMF-03"]),
    start=st.just(NOON),
    end=st.integers(1, 10**9).map(lambda us: NOON + timedelta(microseconds=us)),
    verdict=st.sampled_from(list(AlarmVerdict)),
    cause=TEXTS,
    source=TEXTS,
    by=TEXTS,
)


@examples(30)
@given(labels=st.lists(LABELS, max_size=4), suffix=st.sampled_from([".json", ".csv"]))
def test_labels_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, labels: list[Label], suffix: str
) -> None:
    path = tmp_path_factory.mktemp("labels") / f"labels{suffix}"
    text = labels_as_csv(labels) if suffix == ".csv" else labels_as_json(labels)
    path.write_text(text, encoding="utf-8")
    assert list(read_labels(path)) == labels


def test_no_cell_of_a_spreadsheet_is_worked_out() -> None:
    label = Label(
        furnace="a/F1", start=NOON, end=NOON + timedelta(1), verdict="unclear", cause="=1+1"
    )
    assert ",'=1+1," in labels_as_csv([label])


ONE = {
    "furnace": "a/F1",
    "start": "2026-03-01T12:00:00Z",
    "end": "2026-03-01T12:01:00Z",
    "verdict": "true_alarm",
}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("l.json", b"", "expected labels"),
        ("l.json", b"{}", "no list"),
        ("l.json", b"[5]", "label 1: "),
        ("l.json", b"[" * 100_000, "expected labels"),
        ("l.json", b"\xff", "expected labels"),
        ("l.json", json.dumps([ONE, ONE | {"end": ONE["start"]}]).encode(), "label 2: "),
        ("l.json", json.dumps([ONE | {"verdict": "\x1b[2J"}]).encode(), "verdict: "),
        ("l.json", json.dumps([ONE | {"start": 5}]).encode(), "start: "),
        ("l.json", json.dumps([ONE | {"furnace": "a/../b"}]).encode(), "furnace: "),
        ("l.csv", b"a,b\n1\n", "line 2: another number of cells"),
        ("l.csv", b"a,b\n1,2\n", "furnace: "),
        ("l.csv", b"\x00\xff", "expected labels"),
        ("l.csv", b'furnace,start\n"a', "expected labels"),
    ],
)
def test_what_is_no_file_of_labels_is_one_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as refusal:
        read_labels(path)
    line = str(refusal.value)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert line.isprintable()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.json"):
        read_labels(tmp_path / "missing.json")
