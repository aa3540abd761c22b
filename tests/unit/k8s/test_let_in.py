"""What lets users into the laptop's broker: which files it reads, what it asks of the broker."""

import runpy
from pathlib import Path

import pytest
from meltwatch_schemas.access import Principal, rights_of

from tests.support.manifests import ROOT


@pytest.fixture(scope="module")
def let_in() -> dict:
    return runpy.run_path(str(ROOT / "k8s/components/secured/let_in.py"))


def test_each_file_is_a_users_password_and_kubernetes_own_are_none(let_in, tmp_path: Path):
    (tmp_path / "..2026_11_30").mkdir()
    (tmp_path / "..data").symlink_to("..2026_11_30")
    (tmp_path / "..2026_11_30/topics").write_text("secret\n")
    (tmp_path / "topics").symlink_to("..data/topics")
    assert let_in["passwords"](tmp_path) == {"topics": "secret"}


def test_a_user_that_the_catalogue_does_not_know_is_refused(let_in, tmp_path: Path):
    (tmp_path / "somebody").write_text("secret\n")
    with pytest.raises(ValueError, match="somebody"):
        let_in["passwords"](tmp_path)


def test_a_right_is_asked_for_as_it_stands_in_the_catalogue(let_in):
    for right in rights_of(Principal.TOPICS, "meltwatch"):
        acl = let_in["acl"]("topics", right)
        what = acl.resource_pattern
        assert (acl.principal, acl.host, acl.permission_type.name) == ("User:topics", "*", "ALLOW")
        assert (acl.operation.name, what.resource_type.name, what.resource_name) == (
            right.operation, right.resource, right.name,
        )  # fmt: skip
        assert what.pattern_type.name == ("PREFIXED" if right.prefixed else "LITERAL")
