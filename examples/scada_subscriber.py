"""Show Meltwatch's alarms, acknowledge one: docs/scada.md. Needs kafka-python[lz4,snappy,zstd]."""

import argparse
import json
import signal
import time
import uuid
from itertools import chain

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

ROW = "  {state:5}  {priority:8}  {raise_time}  {alarm_id}  {message}"
STALE = "STALE: still reading, or no heartbeat for 15 s: is the alarm manager there, is Kafka?"
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("kafka", help="host:port of a broker")
parser.add_argument("--prefix", default="meltwatch", help="first part of the topic names")
parser.add_argument("--ack", type=str.encode, metavar="ALARM_ID", help="acknowledge it, once")
parser.add_argument("--json", action="store_true", help="print each list as one JSON object")
options = parser.parse_args()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it at once: there is nothing to save

kafka = {"bootstrap_servers": options.kafka, "isolation_level": "read_committed"}
consumer = KafkaConsumer(**kafka, auto_offset_reset="earliest")
names = ("alarms", "alarm-results", "heartbeats")
alarms, *others = [TopicPartition(f"{options.prefix}.{name}.v1", 0) for name in names]
consumer.assign([alarms, *others])
consumer.seek(alarms, 0)  # the topic holds every alarm: nothing is stored here
consumer.seek_to_end(*others)
end = consumer.end_offsets([alarms])[alarms]
newest, shown, command_id, live_until_s = {}, None, "", 0.0
while True:
    for record in chain(*consumer.poll(timeout_ms=500).values()):
        value = json.loads(record.value or b"null")
        if record.key == b"alarm_manager":  # its heartbeat, every 5 s
            live_until_s = time.monotonic() + 15
        elif record.topic != alarms.topic:  # the answer to a command, maybe to ours
            if value.get("command_id") == command_id:
                print(record.value.decode(), flush=True)
        elif value is None:  # a tombstone: the alarm point is no more
            newest.pop(record.key, None)
        elif "run_id" not in value:  # a replay has one; what comes twice changes nothing
            known = newest.get(record.key, value)
            newest[record.key] = max(known, value, key=lambda alarm: (alarm["epoch"], alarm["seq"]))

    is_live = time.monotonic() < live_until_s and consumer.position(alarms) >= end
    latest = sorted(newest.values(), key=lambda a: a["raise_time"] or "", reverse=True)
    listed = [a for a in sorted(latest, key=lambda a: (a["acked"], -a["severity"])) if a["retain"]]
    if shown != (shown := (is_live, listed)):
        text = "\n".join(["live" if is_live else STALE, *map(ROW.format_map, listed)])
        print(json.dumps({"live": is_live, "alarms": listed}) if options.json else text, flush=True)
    alarm = newest.get(options.ack)
    if is_live and alarm and not alarm["acked"] and not command_id:
        command_id = str(uuid.uuid4())
        command = {"command_id": command_id, "command": "ack", "alarm_id": alarm["alarm_id"]}
        command |= {"expected_event_id": alarm["event_id"], "user": "scada", "role": "operator"}
        command |= {"issued_at": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())}
        headers = [("schema", b"alarm-command/1.0"), ("content-type", b"application/json")]
        with KafkaProducer(bootstrap_servers=options.kafka) as producer:
            topic, value = f"{options.prefix}.alarm-commands.v1", json.dumps(command).encode()
            producer.send(topic, value, options.ack, headers).get(timeout=10)
