import importlib.util
import shutil
import sys

import pytest
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_local_cluster.servers.triton_installation import uv_command


@pytest.fixture
def nowhere(monkeypatch):
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def test_uv_is_taken_from_the_environment_first(tmp_path, monkeypatch):
    monkeypatch.setenv("UV", "/some/uv")
    assert uv_command(tmp_path) == ["/some/uv"]


def test_uv_is_found_on_the_path(nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert uv_command(tmp_path) == ["/bin/uv"]


def test_uv_is_found_as_a_module(nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "uv")
    assert uv_command(tmp_path) == [sys.executable, "-m", "uv"]


def test_uv_is_found_where_the_makefile_puts_it(nowhere, tmp_path):
    program = tmp_path / ".tools" / "bin" / "uv"
    program.parent.mkdir(parents=True)
    program.touch()
    assert uv_command(tmp_path) == [str(program)]


def test_without_uv_the_error_says_where_it_was_sought(nowhere, tmp_path):
    with pytest.raises(DependencyUnreachable, match=r"\$UV, on PATH, .*\.tools.*pip install uv"):
        uv_command(tmp_path)
