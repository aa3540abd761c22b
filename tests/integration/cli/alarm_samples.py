"""Alarm records that the tests of ``meltwatch alarms`` publish and show."""

from tests.support.timed_records import alarm_record

RAISED = alarm_record("f/OVERHEAT", "UNACK", seq=1)
ACKED = alarm_record("f/OVERHEAT", "ACKED", seq=2)
OTHER = alarm_record("g/OVERHEAT", "UNACK", seq=1, priority="critical")
NORMAL = alarm_record("h/OVERHEAT", "NORM", seq=4)
REPLAYED = alarm_record("r/OVERHEAT", "UNACK", run_id="r1")
