"""Show Meltwatch's alarms, acknowledge one: docs/scada.md. Needs kafka-python[lz4,snappy,zstd]."""

import argparse
import json
import signal
import sys
import time
import uuid
from contextlib import suppress
from itertools import chain

import cramjam  # comes with kafka-python's snappy
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.record import memory_records

ROW = "  {state:5}  {priority:8}  {raise_time!s}  {alarm_id}  {message}"
STALE = "STALE: still reading, or no heartbeat for 15 s: is the alarm manager there, is Kafka?"
FIELDS = {"alarm_id": str, "event_id": str, "epoch": int, "seq": int, "state": str, "message": str}
FIELDS |= {"priority": str, "severity": int, "acked": bool, "retain": bool}
CODECS = {1: cramjam.gzip, 3: cramjam.lz4, 4: cramjam.zstd}  # snappy packs to a twentieth at best
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("kafka", help="host:port of a broker")
parser.add_argument("--prefix", default="meltwatch", help="first part of the topic names")
parser.add_argument("--ack", type=str.encode, metavar="ALARM_ID", help="acknowledge it, once")
parser.add_argument("--json", action="store_true", help="print each list as one JSON object")
options = parser.parse_args()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once: there is nothing to save
newest, watch, command_id, beats = {}, {}, str(uuid.uuid4()), {"till": 0, "epoch": 0, "end": -1}


class Batch(memory_records.DefaultRecordBatch):
    def __iter__(self):
        with suppress(Exception):  # a stranger's batch: gigabytes in a few kB, or not even text
            if codec := CODECS.get(self.compression_type):
                size = codec.decompress_into(self._buffer[self._pos :], room := bytearray(2**20))
                self._buffer, self._pos, self._decompressed = room[:size], 0, True
            self._maybe_uncompress()
            while len((record := next(self)).headers) < 100:
                yield record


def printable(line):  # text from outside must neither steer a terminal nor look like another line
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def take(kind, key, value):
    if kind == "alarms" and value is None:  # a tombstone: the alarm point is no more
        newest.pop(key, None)
    elif not isinstance(value, dict) or "run_id" in value:  # a replay has a run_id
        return
    elif kind == "heartbeats" and key == b"alarm_manager" and isinstance(value.get("epoch"), int):
        beats["end"] = beats["end"] if value["epoch"] >= beats["epoch"] else -1  # topics made again
        beats.update(till=time.monotonic() + 15, epoch=value["epoch"])  # one comes every 5 s
        watch.update({name: value.get(name) for name in ("watched", "blind")})
    elif kind == "alarm-results" and value.get("command_id") == command_id:
        print(json.dumps(value), flush=True)
    elif kind == "alarms" and all(isinstance(value.get(n), t) for n, t in FIELDS.items()):
        newest[key] = max(newest.get(key, value), value, key=lambda a: (a["epoch"], a["seq"]))


def follow():
    kafka, shown = {"bootstrap_servers": options.kafka, "bootstrap_timeout_ms": 9_000}, None
    reading = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
    memory_records.DefaultRecordBatch = Batch
    consumer = KafkaConsumer(**kafka, **reading, max_poll_records=100)
    kinds = {f"{options.prefix}.{k}.v1": k for k in ("alarms", "alarm-results", "heartbeats")}
    alarms, *others = [TopicPartition(name, 0) for name in kinds]
    consumer.assign([alarms, *others])
    consumer.seek_to_end(*others)
    while True:
        for record in chain(*consumer.poll(timeout_ms=500).values()):
            with suppress(ValueError, RecursionError):  # no JSON: a stranger wrote it
                take(kinds[record.topic], record.key, json.loads(record.value or b"null"))
        if beats["end"] < 0:  # begin at the beginning
            newest.clear()
            consumer.seek_to_beginning(alarms)  # it holds every alarm: nothing is stored here
            beats["end"] = consumer.end_offsets([alarms])[alarms]
        is_live = time.monotonic() < beats["till"] and consumer.position(alarms) >= beats["end"]
        latest = sorted(newest.values(), key=lambda a: str(a.get("raise_time")), reverse=True)
        latest.sort(key=lambda alarm: (alarm["acked"], -alarm["severity"]))
        listed = [alarm for alarm in latest if alarm["retain"]]
        if shown != (shown := (is_live, dict(watch), listed)):
            number = [f"{'unknown' if n is None else n} {word}" for word, n in watch.items()]
            head = f"live: furnaces {', '.join(number)}; alarms {len(listed)}" if is_live else STALE
            rows = [head, *(ROW.format_map({"raise_time": "-"} | alarm) for alarm in listed)]
            if options.json:
                rows = [json.dumps({"live": is_live, **watch, "alarms": listed})]
            print(*map(printable, rows), sep="\n", flush=True)
        if is_live and not (alarm := newest.get(options.ack, {"acked": True}))["acked"]:
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
