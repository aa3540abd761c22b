import pytest
from meltwatch_schemas import tensors
from meltwatch_schemas.dead_letter import dead_letter_headers
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.redis_keys import RedisKeys
from meltwatch_schemas.topics import (
    Topic,
    catalogue,
    check_prefix,
    is_replay,
    replay_prefix,
    timestamp_ms,
)
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support.builders import raw_record

DAY = 86_400_000
DELETE, COMPACT = "delete", "compact"


def test_the_catalogue_is_that_of_the_contract() -> None:
    expected = {
        "plant.embeddings.v1": (12, DELETE, 7),
        "plant.currents.v1": (12, DELETE, 7),
        "plant.scores.v1": (12, DELETE, 30),
        "plant.shadow-scores.v1": (12, DELETE, 30),
        "plant.late.v1": (12, DELETE, 14),
        "plant.dead-letters.v1": (1, DELETE, 14),
        "plant.alarm-points.v1": (1, COMPACT, None),
        "plant.alarms.v1": (1, COMPACT, None),
        "plant.alarm-commands.v1": (1, DELETE, 30),
        "plant.alarm-results.v1": (1, DELETE, 30),
        "plant.alarm-receipts.v1": (1, DELETE, 30),
        "plant.heartbeats.v1": (1, DELETE, 1),
        "plant.furnace-states.v1": (1, COMPACT, None),
        "plant.portraits.v1": (1, COMPACT, None),
    }
    found = {
        spec.name: (
            spec.partitions,
            spec.config["cleanup.policy"],
            int(spec.config["retention.ms"]) // DAY if "retention.ms" in spec.config else None,
        )
        for spec in catalogue("plant")
    }

    assert found == expected


def test_topics_have_the_settings_of_the_contract() -> None:
    config = {spec.topic: spec.config for spec in catalogue()}

    assert config[Topic.EMBEDDINGS]["message.timestamp.after.max.ms"] == "10000"
    assert config[Topic.CURRENTS]["message.timestamp.after.max.ms"] == "10000"
    assert config[Topic.DEAD_LETTERS]["max.message.bytes"] == str(8 * 1024 * 1024)
    assert config[Topic.ALARMS]["min.compaction.lag.ms"] == str(7 * DAY)
    assert config[Topic.ALARMS]["max.compaction.lag.ms"] == str(8 * DAY)
    assert config[Topic.ALARMS]["segment.ms"] == "3600000"


def test_records_of_old_times_stay_in_the_topics_of_a_replay() -> None:
    live, replay = (
        {spec.topic: spec.config for spec in catalogue(prefix)}
        for prefix in ("plant", "plant.replay.R-1")
    )
    changed = {topic for topic in Topic if live[topic] != replay[topic]}

    assert changed == {
        Topic.EMBEDDINGS, Topic.CURRENTS, Topic.SCORES, Topic.SHADOW_SCORES, Topic.LATE,
    }  # fmt: skip
    for topic in changed:
        assert replay[topic] == live[topic] | {"retention.ms": "-1"}


def test_the_prefix_of_a_replay_is_no_live_one() -> None:
    assert replay_prefix("plant.north", "R_1-b") == "plant.north.replay.R_1-b"
    assert replay_prefix("plant.replay.R1", "R1") == "plant.replay.R1"
    for live in ("plant", "replay", "replay.R1", ".replay.R1", "plant.replay", "plant.replay."):
        assert not is_replay(live)
        assert is_replay(replay_prefix(live, "R1"))
    for name in ("", ".", "a.b", "a/b", "ü", "a" * 65, "R1\n", "../alarms"):
        with pytest.raises(ValueError, match="replay: expected a name"):
            replay_prefix("plant", name)
    with pytest.raises(ValueError, match="expected 'R1', as the topic prefix says"):
        replay_prefix("plant.replay.R1", "R2")
    with pytest.raises(ValueError, match="topic prefix: expected"):
        replay_prefix("p" * 100, "R" * 64)


def test_partitioned_topics_share_one_count() -> None:
    counts = {spec.topic: spec.partitions for spec in catalogue(partitions=5)}

    assert counts[Topic.EMBEDDINGS] == counts[Topic.CURRENTS] == counts[Topic.SCORES] == 5
    assert counts[Topic.ALARMS] == counts[Topic.ALARM_COMMANDS] == 1


def test_settings_of_one_catalogue_are_not_those_of_the_next() -> None:
    catalogue()[0].config["retention.ms"] = "1"

    assert catalogue()[0].config["retention.ms"] == str(7 * DAY)


@pytest.mark.parametrize("prefix", ["", "a b", "a/b", "x" * 121])
def test_a_prefix_that_kafka_could_not_take_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="topic prefix"):
        check_prefix(prefix)


def test_record_timestamps_are_rounded_down() -> None:
    assert timestamp_ms(1_999_999) == 1


def test_redis_keys_are_those_of_the_contract() -> None:
    keys = RedisKeys("p")

    assert keys.alarm("a/b/HOT") == "p:alarm:a/b/HOT"
    assert keys.furnace("a/b") == "p:furnace:a/b"
    assert (keys.active, keys.unacked, keys.shelved) == ("p:active", "p:unacked", "p:shelved")
    assert (keys.journal, keys.furnaces, keys.meta) == ("p:journal", "p:furnaces", "p:meta")
    assert keys.changes == "p:changes"


def test_tensors_are_those_of_the_contract() -> None:
    inputs = {
        spec.name: (spec.datatype, spec.shape) for spec in tensors.inputs(PUBLISHED_SPEC, 192)
    }
    outputs = {spec.name: (spec.datatype, spec.shape) for spec in tensors.outputs(members=3)}

    assert tensors.ENSEMBLE == "fmformer"
    assert inputs == {
        "patches": ("FP16", (10, 64, 192)),
        "currents": ("FP32", (240, 3)),
        "available": ("FP32", (2,)),
    }
    assert outputs == {
        "logit": ("FP32", (1,)),
        "member_logits": ("FP32", (3,)),
        "disagreement": ("FP32", (1,)),
        "anomaly_map": ("FP32", (64, 64)),
    }


def test_tensor_types_have_their_numpy_type() -> None:
    patches, currents, _ = tensors.inputs(PUBLISHED_SPEC, 192)

    assert (patches.dtype.name, currents.dtype.name) == ("float16", "float32")


def test_the_reasons_stand_in_the_order_of_the_contract() -> None:
    assert " | ".join(sorted(Refusal)) == (
        "contract_violation | future_event_time | malformed | non_finite | scoring_rejected | "
        "too_large | unexpected_source | unknown_encoder | unknown_schema"
    )
    assert list(Refusal)[:8] == [
        "too_large", "unknown_schema", "malformed", "contract_violation", "non_finite",
        "future_event_time", "unexpected_source", "unknown_encoder",
    ]  # fmt: skip


def test_a_dead_letter_keeps_the_headers_and_says_why_and_whence_as_text() -> None:
    record = raw_record(b"x", headers=[("schema", b"\xff"), ("trace", None)], offset=43)
    refusal = ContractViolation(Refusal.MALFORMED, "expected a map, got \u00fc" + "x" * 5000)

    headers = dead_letter_headers(record, "stream_processor", refusal)

    assert headers[:2] == [("schema", b"\xff"), ("trace", None)]
    texts = {name: value.decode() for name, value in headers[2:] if value is not None}
    assert len(texts.pop("dlq.detail")) <= 1000
    assert texts == {
        "dlq.topic": "meltwatch.embeddings.v1",
        "dlq.partition": "3",
        "dlq.offset": "43",
        "dlq.timestamp": "1750000000000",
        "dlq.service": "stream_processor",
        "dlq.error": "malformed",
    }
