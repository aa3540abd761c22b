import os
import shutil

import pytest
from meltwatch_local_cluster.servers.cache import cache_folder
from meltwatch_local_cluster.servers.kafka_installation import kafka_jars

pytestmark = pytest.mark.integration


def test_a_download_that_was_cut_off_is_fetched_again(tmp_path, monkeypatch, capsys):
    whole = {jar.name: jar for jar in kafka_jars()}
    shutil.copytree(
        cache_folder() / "maven", tmp_path / "meltwatch" / "maven", copy_function=os.link
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    damaged = next(jar for jar in kafka_jars() if jar.name.startswith("jspecify"))
    damaged.unlink()
    damaged.write_bytes(b"half a jar")
    capsys.readouterr()
    fetched = {jar.name: jar for jar in kafka_jars()}
    assert fetched.keys() == whole.keys()
    assert damaged.read_bytes() == whole[damaged.name].read_bytes()
    assert "1 jars" in capsys.readouterr().err
    assert fetched[damaged.name].is_relative_to(tmp_path)
