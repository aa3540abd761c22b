"""A roles file says who may do what; whatever else it holds is refused in one line."""

from pathlib import Path

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.plant import read_roles
from meltwatch_schemas.alarm_command import Role

GOOD = """
users:
  li.wei:
    operator: [dashiqiao/smelting-1]
    engineer: [dashiqiao/smelting-1/FMF-03]
  anna: {engineer: all}
  guest: {viewer: all}
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "roles.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("user", "alarm_id", "role"),
    [
        ("li.wei", "dashiqiao/smelting-1/FMF-01/OVERHEAT", Role.OPERATOR),
        ("li.wei", "dashiqiao/smelting-1/FMF-03/OVERHEAT", Role.ENGINEER),
        ("li.wei", "dashiqiao/smelting-1/FMF-03/cell/OVERHEAT", Role.ENGINEER),
        ("li.wei", "dashiqiao/smelting-1/FMF-030/OVERHEAT", Role.OPERATOR),
        ("li.wei", "dashiqiao/smelting-10/FMF-03/OVERHEAT", Role.VIEWER),
        ("li.wei", "meltwatch/PLANT_BLIND", Role.VIEWER),
        ("anna", "meltwatch/PLANT_BLIND", Role.ENGINEER),
        ("guest", "meltwatch/PLANT_BLIND", Role.VIEWER),
        ("Anna", "meltwatch/PLANT_BLIND", Role.VIEWER),
        ("", "meltwatch/PLANT_BLIND", Role.VIEWER),
    ],
)
def test_a_role_is_of_a_user_and_some_furnaces(
    tmp_path: Path, user: str, alarm_id: str, role: Role
) -> None:
    roles = read_roles(written(tmp_path, GOOD))
    assert roles is not None
    assert roles.granted(user, alarm_id) is role
    for said in Role:
        assert roles.allowed(said, user, alarm_id) in (said, role)
        assert roles.allowed(said, user, alarm_id) is min(said, role, key=[*Role].index)


def test_the_example_is_one_to_copy() -> None:
    roles = read_roles(Path(__file__).parents[3] / "examples" / "roles.yaml")
    assert roles is not None
    assert roles.granted("control.room", "meltwatch/PLANT_BLIND") is Role.OPERATOR


def test_without_a_file_roles_are_not_checked() -> None:
    assert read_roles(None) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "users: "),
        ("- a", "file: "),
        ("users: 5", "1: users: "),
        ("users: {anna: engineer}", "1: users.anna: "),
        ("users: {anna: {}}", "expected a role for 'anna'"),
        ("users: {anna: {king: all}}", "1: users.anna.king"),
        ("users: {anna: {engineer: []}}", "users.anna.engineer"),
        ("users: {anna: {engineer: some}}", "users.anna.engineer"),
        ("users: {anna: {engineer: [a/../b]}}", "users.anna.engineer"),
        ("users: {anna: {engineer: all}}\nusres: {}", "2: usres: "),
        ("users: {anna: {engineer: all}}\nalarm_classes: {}", "2: alarm_classes: "),
        ("users:\n  anna: {engineer: all}\n  anna: {viewer: all}", "3: "),
        (f"users: {{{'a' * 65}: {{viewer: all}}}}", "users."),
        ('users: {"\\e[2J": {viewer: all}}', "users."),
        ("users: {anna: {engineer: all}}\n---\nusers: {}", ""),
        ("users: &a {b: *a}", ""),
        ("users: !!python/object/apply:os.system [ls]", ""),
        (b"\xff\xfe\x00", ""),
        ("[" * 100, ""),
    ],
)
def test_what_is_no_roles_file_is_refused_in_one_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as refusal:
        read_roles(path)
    line = str(refusal.value)
    assert line.startswith(f"{path}:")
    assert said in line
    assert line.isprintable()


@pytest.mark.parametrize("name", ["", "missing.yaml"])
def test_a_file_that_cannot_be_read_is_told_with_its_variable(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="MELTWATCH_ROLES_FILE"):
        read_roles(tmp_path / name)
