"""Show Meltwatch's alarms, acknowledge one: docs/scada.md. Needs kafka-python[lz4,snappy,zstd]."""

import argparse
import json
import signal
import sys
import time
import uuid
from contextlib import suppress
from itertools import chain

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

ROW = "  {state:5}  {priority:8}  {raise_time!s}  {alarm_id}  {message}"
STALE = "STALE: still reading, or no heartbeat for 15 s: is the alarm manager there, is Kafka?"
FIELDS = {"alarm_id": str, "event_id": str, "epoch": int, "seq": int, "state": str, "message": str}
FIELDS |= {"priority": str, "severity": int, "acked": bool, "retain": bool}
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("kafka", help="host:port of a broker")
parser.add_argument("--prefix", default="meltwatch", help="first part of the topic names")
parser.add_argument("--ack", type=str.encode, metavar="ALARM_ID", help="acknowledge it, once")
parser.add_argument("--json", action="store_true", help="print each list as one JSON object")
options = parser.parse_args()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once: there is nothing to save
newest, watch, beats, command_id = {}, {}, {}, str(uuid.uuid4())


def show(line):  # text from outside must neither steer a terminal nor look like another line
    print("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), flush=True)


def take(kind, key, value):
    if kind == "alarms" and value is None:  # a tombstone: the alarm point is no more
        newest.pop(key, None)
    elif not isinstance(value, dict) or "run_id" in value:  # a replay has a run_id
        return
    elif kind == "heartbeats" and key == b"alarm_manager":  # one comes every 5 s
        beats["newest"] = time.monotonic()
        watch.update({name: value.get(name) for name in ("watched", "blind")})
    elif kind == "alarm-results" and value.get("command_id") == command_id:
        print(json.dumps(value), flush=True)
    elif kind == "alarms" and all(isinstance(value.get(n), t) for n, t in FIELDS.items()):
        known = newest.get(key, value)  # what comes twice changes nothing
        newest[key] = max(known, value, key=lambda alarm: (alarm["epoch"], alarm["seq"]))


def follow():
    kafka, shown = {"bootstrap_servers": options.kafka, "bootstrap_timeout_ms": 9_000}, None
    reading = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
    consumer = KafkaConsumer(**kafka, **reading)
    kinds = {f"{options.prefix}.{k}.v1": k for k in ("alarms", "alarm-results", "heartbeats")}
    alarms, *others = [TopicPartition(name, 0) for name in kinds]
    consumer.assign([alarms, *others])
    consumer.seek_to_beginning(alarms)  # it holds every alarm: nothing is stored here
    consumer.seek_to_end(*others)
    end = consumer.end_offsets([alarms])[alarms]
    while True:
        for record in chain(*consumer.poll(timeout_ms=500).values()):
            with suppress(ValueError, RecursionError):  # no JSON: a stranger wrote it
                take(kinds[record.topic], record.key, json.loads(record.value or b"null"))
        is_heard = time.monotonic() < beats.get("newest", -15) + 15
        is_live = is_heard and consumer.position(alarms) >= end
        latest = sorted(newest.values(), key=lambda a: str(a.get("raise_time")), reverse=True)
        latest.sort(key=lambda alarm: (alarm["acked"], -alarm["severity"]))
        listed = [alarm for alarm in latest if alarm["retain"]]
        if shown != (shown := (is_live, dict(watch), listed)):
            if options.json:
                print(json.dumps({"live": is_live, **watch, "alarms": listed}), flush=True)
            else:
                furnaces = ", ".join(
                    f"{'unknown' if n is None else n} {word}" for word, n in watch.items()
                )
                show(f"live: furnaces {furnaces}; alarms {len(listed)}" if is_live else STALE)
                for alarm in listed:
                    show(ROW.format_map({"raise_time": "-"} | alarm))
        alarm = newest.get(options.ack)
        if is_live and alarm and not alarm["acked"]:
            options.ack = None
            command = {"command_id": command_id, "command": "ack", "alarm_id": alarm["alarm_id"]}
            command |= {"expected_event_id": alarm["event_id"], "user": "scada", "role": "operator"}
            command |= {"issued_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())}
            headers = [("schema", b"alarm-command/1.0"), ("content-type", b"application/json")]
            with KafkaProducer(**kafka) as producer:
                topic, key = f"{options.prefix}.alarm-commands.v1", alarm["alarm_id"].encode()
                producer.send(topic, json.dumps(command).encode(), key, headers).get(timeout=10)


try:
    sys.stdout.reconfigure(errors="replace")
    follow()
except (KafkaError, OSError, ValueError) as error:  # a closed pipe is an OSError, too
    sys.stdout = None
    sys.exit(f"expected Kafka at {options.kafka} with the topics of {options.prefix!r}: {error!r}")
