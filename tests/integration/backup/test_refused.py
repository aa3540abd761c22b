"""A restore on a real broker: all of it or nothing, into empty topics, beside nobody who writes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from meltwatch_chassis.kafka.all_or_nothing import transaction
from meltwatch_chassis.recording.manifest import BACKUP_NAME
from meltwatch_cli.adapters.kafka_state import KafkaStateTransaction
from meltwatch_cli.commands import backup
from meltwatch_schemas.access import ACCESS, Principal
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.topics import Topic

from tests.integration.backup.site import STATE, Site
from tests.support.builders import alarm_record
from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration
HEADERS = [("schema", b"alarm/1.0"), ("traceparent", b""), ("\u7194", b"\xff\x00")]
_DIES = """
import os, signal
from meltwatch_cli.adapters.kafka_state import KafkaStateTransaction
KafkaStateTransaction.commit = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from meltwatch_cli.__main__ import main
main()
"""


@pytest.fixture
def site(kafka, topics, tmp_path, monkeypatch) -> Site:
    made = Site(kafka.address, "", topics.prefix, tmp_path)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    return made


def fill(site: Site) -> None:
    """Write what may stand on the topics: records, tombstones, odd headers, times of yesterday.

    Each has a key of its own, and none is older than a topic keeps: so no broker that compacts or
    deletes at once takes anything away while a test looks.
    """
    yesterday_ms = int(time.time() * 1000) - 86_400_000
    with closing(KafkaProducer(bootstrap_servers=site.kafka)) as producer:
        for topic in STATE:
            for number in range(30):
                producer.send(
                    topic.under(site.prefix), key=f"a/b/{number}".encode(),
                    value=None if number % 5 == 4 else f'{{"n":{number}}}'.encode(),
                    headers=HEADERS[: number % 4], timestamp_ms=yesterday_ms + 997 * number,
                )  # fmt: skip


@pytest.fixture
def saved(command, monkeypatch, tmp_path):
    """A backup that waits for no alarm manager, since none runs here.

    A restore keeps its patience: a broker says that a transaction is committed before all of its
    records can be read.
    """

    def run(name: str) -> tuple[dict, str]:
        with monkeypatch.context() as patch:
            patch.setattr(backup, "_PATIENCE_NS", 0)
            code, out, err = command("backup", "--to", str(tmp_path / name), "--json")
        assert code == 0, err
        return json.loads(out), err

    return run


@pytest.fixture
def folder(site: Site, saved) -> Path:
    """A backup of full topics."""
    fill(site)
    return Path(saved("kept")[0]["folder"])


@pytest.fixture
def emptied(folder: Path, site: Site):
    """The same topics, made again."""
    from tests.integration.alarm_manager.bench import make_again  # noqa: PLC0415

    before = site.topics()
    assert {len(records) for records in before.values()} == {30}
    make_again(site.kafka, site.prefix, STATE)
    assert set(map(len, site.topics().values())) == {0}
    return before


def test_keys_values_headers_times_and_order_are_kept(folder, emptied, site, command):
    code, out, err = command("restore", str(folder))
    assert code == 0, err
    assert "restored 30 of alarms, 30 of alarm-points" in out
    assert site.topics() == emptied


def test_a_restore_that_is_killed_leaves_nothing_and_is_run_again(folder, emptied, site, command):
    done = subprocess.run(
        [sys.executable, "-c", _DIES, "restore", str(folder)], check=False, timeout=LIMIT_S,
        env=os.environ | site.environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert set(map(len, site.topics().values())) == {0}
    code, _, err = command("restore", str(folder))
    assert code == 0, err
    assert site.topics() == emptied


def test_topics_that_hold_anything_are_refused_and_stay_as_they_are(folder, site, command):
    before = site.topics()
    code, _, err = command("restore", str(folder))
    assert code == 2
    assert f"{site.prefix}.alarms.v1: expected an empty topic, found a record at offset 0" in err
    assert site.topics() == before


def test_a_manager_that_begins_meanwhile_ends_the_restore(
    folder, emptied, site, command, monkeypatch
):
    (name,) = ACCESS[Principal.ALARM_MANAGER].transactional_ids
    commit = KafkaStateTransaction.commit

    def begin_first(ours, commits):
        with transaction({"bootstrap_servers": [site.kafka]}, f"{site.prefix}.{name}"):
            pass
        commit(ours, commits)

    monkeypatch.setattr(KafkaStateTransaction, "commit", begin_first)
    code, _, err = command("restore", str(folder))
    assert code == 2, err
    assert "another one has begun: stop it and try again; nothing was written" in err
    assert err.count("\n") == 1, err
    monkeypatch.setattr(KafkaStateTransaction, "commit", commit)
    assert set(map(len, site.topics().values())) == {0}
    code, _, err = command("restore", str(folder))
    assert code == 0, err
    assert site.topics() == emptied


def test_what_a_stranger_writes_among_the_managers_records_is_not_saved(
    folder, emptied, site, command, saved
):
    code, _, err = command("restore", str(folder))
    assert code == 0, err
    forged: AlarmRecord = alarm_record("a/b/c/OVERHEAT", 1, epoch=10**12)
    with closing(KafkaProducer(bootstrap_servers=site.kafka)) as producer:
        name = Topic.ALARMS.under(site.prefix)
        producer.send(name, key=b"a/b/c/OVERHEAT", value=forged.to_json()).get(LIMIT_S)
    told, err = saved("again")
    assert (told["left_out"], told["records"]["alarms"]) == ({"alarms": 1}, 30)
    assert "alarms: 1 record left out" in err


def test_a_spoilt_folder_is_refused_before_anything_is_written(folder, emptied, site, command):
    for harm in ("byte", "file", "release"):
        spoilt = folder.with_name(harm)
        shutil.copytree(folder, spoilt)
        segment = next((spoilt / "furnace-states-00000").iterdir())
        if harm == "byte":
            segment.write_bytes(segment.read_bytes()[:-1] + b"?")
        elif harm == "file":
            segment.unlink()
        else:
            text = (spoilt / BACKUP_NAME).read_text()
            (spoilt / BACKUP_NAME).write_text(text.replace("furnace-state/1", "furnace-state/2"))
        code, _, err = command("restore", str(spoilt))
        assert (code, err.count("\n")) == (2, 1), err
        assert set(map(len, site.topics().values())) == {0}


def test_old_backups_are_removed_and_nothing_else(site, command, tmp_path):
    kept = tmp_path / "kept"
    for name in ("2020-01-01T00-00-00Z", "2020-01-02T00-00-00Z", "mine", "2020-01-03T00-00-00Z"):
        (kept / name).mkdir(parents=True)
        if not name.endswith("03T00-00-00Z"):
            (kept / name / BACKUP_NAME).write_text("{}")
    code, _, err = command("backup", "--to", str(kept), "--keep", "2")
    assert code == 0, err
    found = sorted(path.name for path in kept.iterdir())
    assert found[0] == "2020-01-02T00-00-00Z"
    assert (len(found), found[-1]) == (3, "mine")
