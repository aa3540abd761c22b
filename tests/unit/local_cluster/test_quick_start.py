"""What Java learnt of Kafka's start is used where it is, and by a Java that can."""

from pathlib import Path

import pytest
from meltwatch_local_cluster.servers import kafka_installation
from meltwatch_local_cluster.servers.kafka_installation import learnt_file, quick_start


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def with_java(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_installation, "_version", lambda _: version)


def test_kafka_starts_as_ever_until_java_has_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    with_java(25, monkeypatch)
    assert quick_start.__wrapped__() == ()
    learnt = learnt_file()
    assert learnt is not None
    learnt.touch()
    assert f"-XX:AOTCache={learnt}" in quick_start.__wrapped__()


def test_what_another_java_learnt_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with_java(25, monkeypatch)
    learnt = learnt_file()
    assert learnt is not None
    learnt.touch()
    with_java(26, monkeypatch)
    assert quick_start.__wrapped__() == ()


def test_an_older_java_gets_no_option_that_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_java(24, monkeypatch)
    assert learnt_file() is None
    assert quick_start.__wrapped__() == ()
