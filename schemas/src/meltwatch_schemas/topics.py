"""The one catalogue of Kafka topics: names, partitions, settings."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meltwatch_schemas.window import NS_PER_MS

DEFAULT_PREFIX: Final = "meltwatch"
DEFAULT_PARTITIONS: Final = 12
_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{1,120}")
_REPLAY: Final = re.compile(r"(?P<live>.+)\.replay\.(?P<name>[A-Za-z0-9_-]{1,64})")
_FOR_EVER: Final = {"retention.ms": "-1"}
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS


class Topic(StrEnum):
    """Short names; the full name is ``{prefix}.{short}.v1``."""

    EMBEDDINGS = "embeddings"
    CURRENTS = "currents"
    SCORES = "scores"
    SHADOW_SCORES = "shadow-scores"
    LATE = "late"
    DEAD_LETTERS = "dead-letters"
    ALARM_POINTS = "alarm-points"
    ALARMS = "alarms"
    ALARM_COMMANDS = "alarm-commands"
    ALARM_RESULTS = "alarm-results"
    ALARM_RECEIPTS = "alarm-receipts"
    HEARTBEATS = "heartbeats"
    FURNACE_STATES = "furnace-states"
    PORTRAITS = "portraits"

    def under(self, prefix: str) -> str:
        """Return the full topic name under a prefix."""
        return f"{prefix}.{self.value}.v1"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it must exist.

    Attributes
    ----------
    topic, name
        Short and full name.
    partitions
        Number of partitions.
    config
        Topic-level settings of the broker.
    """

    topic: Topic
    name: str
    partitions: int
    config: dict[str, str]


def _kept(days: int, **extra: str) -> dict[str, str]:
    settings = {name.replace("_", "."): value for name, value in extra.items()}
    return {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS)} | settings


_INPUT: Final = _kept(7, message_timestamp_after_max_ms="10000")
_COMPACTED: Final = {"cleanup.policy": "compact"}
_ALARMS: Final = _COMPACTED | {
    "min.compaction.lag.ms": str(7 * _DAY_MS),
    "max.compaction.lag.ms": str(8 * _DAY_MS),
    "segment.ms": str(_HOUR_MS),
}
_PARTITIONED: Final = {
    Topic.EMBEDDINGS: _INPUT,
    Topic.CURRENTS: _INPUT,
    Topic.SCORES: _kept(30),
    Topic.SHADOW_SCORES: _kept(30),
    Topic.LATE: _kept(14),
}
_SINGLE: Final = {
    Topic.DEAD_LETTERS: _kept(14, max_message_bytes=str(8 * 1024 * 1024)),
    Topic.ALARM_POINTS: _COMPACTED,
    Topic.ALARMS: _ALARMS,
    Topic.ALARM_COMMANDS: _kept(30),
    Topic.ALARM_RESULTS: _kept(30),
    Topic.ALARM_RECEIPTS: _kept(30),
    Topic.HEARTBEATS: _kept(1),
    Topic.FURNACE_STATES: _COMPACTED,
    Topic.PORTRAITS: _COMPACTED,
}


def check_prefix(prefix: str) -> str:
    """Return a valid topic prefix unchanged.

    Raises
    ------
    ValueError
        If Kafka could not take topics under it.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"topic prefix: expected [A-Za-z0-9._-]{{1,120}}, got {prefix!r}")
    return prefix


def replay_prefix(prefix: str, name: str) -> str:
    """Return the topic prefix of a replay, under which no live system writes.

    Parameters
    ----------
    prefix
        Of the live system; or of this replay itself, which it then is.
    name
        Of the replay.

    Raises
    ------
    ValueError
        If the name is none, or the prefix is another replay's.
    """
    found = prefix if is_replay(prefix) else f"{prefix}.replay.{name}"
    match = _REPLAY.fullmatch(found)
    if match is None:
        raise ValueError(f"replay: expected a name of [A-Za-z0-9_-]{{1,64}}, got {name!r:.100}")
    if match["name"] != name:
        raise ValueError(
            f"replay: expected {match['name']!r}, as the topic prefix says, got {name!r}"
        )
    return check_prefix(found)


def is_replay(prefix: str) -> bool:
    """Tell whether topics under a prefix are those of a replay."""
    return _REPLAY.fullmatch(prefix) is not None


def catalogue(
    prefix: str = DEFAULT_PREFIX, partitions: int = DEFAULT_PARTITIONS
) -> tuple[TopicSpec, ...]:
    """Return every topic of the product under a prefix.

    Under that of a replay records of old times stay: Kafka would delete them at once.

    Parameters
    ----------
    prefix
        First part of each name.
    partitions
        Number P that both input topics, scores and late share.
    """
    check_prefix(prefix)
    counts = dict.fromkeys(_PARTITIONED, partitions) | dict.fromkeys(_SINGLE, 1)
    settings = _PARTITIONED | _SINGLE
    if is_replay(prefix):
        settings |= {topic: settings[topic] | _FOR_EVER for topic in _PARTITIONED}
    return tuple(
        TopicSpec(topic, topic.under(prefix), counts[topic], dict(settings[topic]))
        for topic in Topic
    )


def timestamp_ms(time_ns: int) -> int:
    """Return a record timestamp for an instant: ms, rounded down."""
    return time_ns // NS_PER_MS
