"""Redis is killed or flushed while alarms come and go: the topic never notices, the view heals."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from kafka import KafkaProducer
from meltwatch_local_cluster.servers import RedisServer
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.score import WindowScore
from meltwatch_schemas.topics import Topic
from redis import Redis

from tests.chaos.load import MEMBERS
from tests.chaos.report import Report
from tests.chaos.site import Site
from tests.chaos.stage import Stage
from tests.integration.alarm_manager.bench import Broker, ManagerProcess, assert_view_equals
from tests.integration.stream_processor.worker import scores_of, wait_until
from tests.support.builders import alarm_point

NAME: Final = "redis"
# The load's frames are noise, on which logits lie around 8.4: these are crossed every few windows.
_ON: Final = 8.8
_OFF: Final = 7.9
_LIMIT_S: Final = 60.0


def run(stage: Stage, rounds: int, seed: int = 1) -> Report:
    """Break the view again and again; then hold it against the topic, and the topic against us."""
    rng = random.Random(seed)
    with stage.site() as site:
        _send_points(site)
        manager = ManagerProcess(
            site.folder / "alarm_manager.log",
            kafka=site.kafka,
            redis=stage.redis.address,
            topic_prefix=site.prefix,
        )
        broker = Broker(site.kafka, site.prefix)
        with manager:
            manager.wait_ready()
            site.send_load(seed)
            site.worker()
            for number in range(rounds):
                _wait_for_alarms(broker, rng.randrange(1, 8))
                _break(stage.redis, number)
                site.fault("Redis flushed" if number % 2 else "Redis killed")
            report = site.finish(NAME, rounds)
            alarms = _all_alarms(site, broker)
            report.alarms = [*_wrong_alarms(site, alarms), *_wrong_view(stage, site, alarms)]
            report.notes.append(f"{len(alarms)} alarm records")
        broker.close()
        return report


def _break(redis: RedisServer, number: int) -> None:
    if number % 2:
        with Redis.from_url(redis.address) as client:
            client.flushall()
    else:
        redis.kill()
        redis.start()
        redis.wait_ready()


def _send_points(site: Site) -> None:
    producer = KafkaProducer(bootstrap_servers=site.kafka)
    setpoint = {"logit_on": _ON, "logit_off": _OFF, "on_delay_s": 0.0, "off_delay_s": 0.0}
    for member in MEMBERS:
        point = alarm_point(f"{member.name}/OVERHEAT", setpoint=setpoint)
        producer.send(
            Topic.ALARM_POINTS.under(site.prefix),
            key=point.alarm_id.encode(),
            value=point.to_json(),
            headers=[("schema", b"alarm-point/1.0"), ("content-type", b"application/json")],
        )
    producer.flush()
    producer.close()


def _wait_for_alarms(broker: Broker, count: int) -> None:
    wanted = len(broker.alarms()) + count
    wait_until(lambda: len(broker.alarms()) >= wanted, _LIMIT_S)


def _all_alarms(site: Site, broker: Broker) -> list[AlarmRecord]:
    """Wait until the alarm manager has judged every score."""
    expected = sum(map(len, _expected(scores_of(site.scores.read_all())).values()))

    def judged() -> bool:
        alarms = broker.alarms()
        return sum(len(_crossings(alarms, member.name)) for member in MEMBERS) >= expected

    wait_until(judged, _LIMIT_S)
    return broker.alarms()


def _expected(scores: Sequence[WindowScore]) -> dict[str, list[float]]:
    """The logits at which each furnace's alarm is raised and cleared, by hysteresis alone."""
    crossings: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        mine, logit = crossings[score.furnace_id], score.logit
        is_active = len(mine) % 2 == 1
        if logit is not None and (logit < _OFF if is_active else logit >= _ON):
            mine.append(logit)
    return crossings


def _crossings(alarms: Sequence[AlarmRecord], furnace: str) -> list[AlarmRecord]:
    """The raises and clears of a furnace; a change of quality in between is neither."""
    causes = ("RAISE", "CLEAR")
    return [a for a in alarms if a.equipment_path == furnace and a.transition.cause in causes]


def _wrong_alarms(site: Site, alarms: Sequence[AlarmRecord]) -> Iterator[str]:
    expected = _expected(scores_of(site.scores.read_all()))
    for furnace, crossings in expected.items():
        mine = _crossings(alarms, furnace)
        found = [record.evidence.score for record in mine]
        if found != crossings:
            yield f"{furnace}: expected transitions at {crossings}, got {found}"
        causes = [record.transition.cause for record in mine]
        if causes != [("RAISE", "CLEAR")[number % 2] for number in range(len(mine))]:
            yield f"{furnace}: {causes}"


def _wrong_view(stage: Stage, site: Site, alarms: Sequence[AlarmRecord]) -> list[str]:
    """Wait for the view to equal the topic; say how it does not."""
    wrong: list[str] = []

    def is_right() -> bool:
        wrong[:] = []
        try:
            with Redis.from_url(stage.redis.address, decode_responses=True) as client:
                assert_view_equals(client, site.prefix, alarms)
        except AssertionError as error:
            wrong[:] = [f"view: {str(error)[:300]}"]
        return not wrong

    try:
        wait_until(is_right, _LIMIT_S)
    except AssertionError:
        return wrong
    return []
