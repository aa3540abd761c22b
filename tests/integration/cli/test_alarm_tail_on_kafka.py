"""``meltwatch alarms tail`` follows the topic, and says when nobody watches."""

import signal
import subprocess
import sys

import pytest
from meltwatch_schemas.alarm import AlarmRecord

from tests.integration.cli.alarm_samples import ACKED, RAISED, REPLAYED
from tests.support.waiting import LIMIT_S

pytestmark = pytest.mark.integration


@pytest.mark.usefixtures("addressed")
def test_tail_follows_from_when_it_is_told_until_it_is_interrupted(publish):
    publish(RAISED)
    argv = [sys.executable, "-m", "meltwatch_cli", "alarms", "tail", "--json", "--since", "1h"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert AlarmRecord.model_validate_json(process.stdout.readline()) == RAISED
        publish(REPLAYED, ACKED)
        assert AlarmRecord.model_validate_json(process.stdout.readline()) == ACKED
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_S)
        assert (out, err.count("\n")) == ("", 1)
        assert "STALE: no heartbeat within a day" in err
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("addressed")
def test_tail_says_when_nobody_is_there_and_when_somebody_is_again(publish, beat):
    argv = [sys.executable, "-m", "meltwatch_cli", "alarms", "tail", "--json"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "STALE: no heartbeat within a day" in process.stderr.readline()
        beat()
        assert "12 furnaces watched, 0 blind" in process.stderr.readline()
        beat(blind=3)
        assert "12 furnaces watched, 3 BLIND (before: " in process.stderr.readline()
        assert "STALE: no heartbeat for" in process.stderr.readline()
        beat(blind=3)
        assert "live again" in process.stderr.readline()
        publish(RAISED)
        assert AlarmRecord.model_validate_json(process.stdout.readline()) == RAISED
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=LIMIT_S) == ("", "")
    finally:
        process.kill()
        process.communicate()
