import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.identifiers import (
    alarm_id,
    check_alarm_id,
    check_boot_id,
    check_furnace_id,
    is_path,
    split_alarm_id,
)

LEVELS = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)


@given(st.lists(LEVELS, min_size=1, max_size=5))
def test_levels_of_the_allowed_letters_are_a_path_if_short_enough(levels: list[str]) -> None:
    path = "/".join(levels)

    assert is_path(path) == (len(path) <= 200 and not {".", ".."} & set(levels))


@given(st.text(max_size=30))
def test_nothing_but_levels_is_a_path(text: str) -> None:
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    levels = text.split("/")

    assert is_path(text) == all(
        level and set(level) <= allowed and level not in {".", ".."} for level in levels
    )


@pytest.mark.parametrize(
    ("text", "valid"),
    [("a" * 64, True), ("a" * 65, False), ("/".join(["a" * 49] * 4), True), ("a" * 200, False)],
)
def test_the_longest_level_has_64_letters_and_the_longest_path_200_bytes(
    text: str, valid: bool
) -> None:
    assert is_path(text) is valid


def test_a_furnace_id_against_the_contract_is_refused() -> None:
    with pytest.raises(ContractViolation, match="furnace id: expected levels"):
        check_furnace_id("a b")


def test_an_alarm_id_is_a_furnace_and_a_condition() -> None:
    assert alarm_id("site/area/FMF-03", "OVERHEAT") == "site/area/FMF-03/OVERHEAT"
    assert split_alarm_id("site/area/FMF-03/OVERHEAT") == ("site/area/FMF-03", "OVERHEAT")


@pytest.mark.parametrize("text", ["OVERHEAT", "", "a/", "/a", "a/b c"])
def test_an_alarm_id_without_a_furnace_is_refused(text: str) -> None:
    with pytest.raises(ContractViolation, match="alarm id"):
        check_alarm_id(text)


def test_a_boot_id_has_16_hexadecimal_digits() -> None:
    assert check_boot_id("0123456789abcdef") == "0123456789abcdef"
    with pytest.raises(ContractViolation, match="boot_id: expected 16 hex digits"):
        check_boot_id("0123456789abcdeF")
