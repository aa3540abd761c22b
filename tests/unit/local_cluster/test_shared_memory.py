import os
import secrets
from pathlib import Path

import psutil
import pytest
from meltwatch_local_cluster.servers import shared_memory
from meltwatch_local_cluster.servers.shared_memory import (
    new_prefix,
    regions,
    remove_orphans,
    remove_regions,
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(shared_memory, "_FOLDER", tmp_path)
    return tmp_path


def unused_pid() -> int:
    return next(pid for pid in range(4_000_000, 1, -1) if not psutil.pid_exists(pid))


def test_a_server_finds_and_removes_its_own_regions_alone(folder):
    mine, others = new_prefix(), new_prefix()
    for name in (f"{mine}1", f"{mine}2", f"{others}1", "foreign"):
        (folder / name).touch()
    assert [region.name for region in regions(mine)] == [f"{mine}1", f"{mine}2"]
    remove_regions(mine)
    assert {region.name for region in folder.iterdir()} == {f"{others}1", "foreign"}


def test_no_region_belongs_to_a_server_without_a_prefix(folder):
    (folder / "foreign").touch()
    remove_regions("")
    assert (folder / "foreign").exists()


def test_orphans_are_the_regions_of_launchers_that_are_gone(folder):
    orphan = f"meltwatch_{unused_pid()}_{secrets.token_hex(4)}_region"
    kept = {f"meltwatch_{os.getpid()}_{secrets.token_hex(4)}_region", "meltwatch_else", "foreign"}
    for name in {orphan} | kept:
        (folder / name).touch()
    remove_orphans()
    assert {region.name for region in folder.iterdir()} == kept
