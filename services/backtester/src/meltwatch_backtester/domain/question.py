"""What is to be replayed, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from meltwatch_schemas.alarm_point import AlarmPoint

from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.thresholds import Thresholds


class Cuts(StrEnum):
    """When windows close."""

    RECORDED = "recorded"
    EVENT_TIME = "event-time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be replayed.

    Attributes
    ----------
    span
        Window ends.
    furnaces
        Only these; empty for all.
    cuts
        When windows close.
    thresholds
        What to try.
    portraits
        By furnace, the bytes of a portrait to try in place of the one that live had.
    """

    span: Span
    furnaces: tuple[str, ...]
    cuts: Cuts
    thresholds: Thresholds
    portraits: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantFacts:
    """What the plant file says.

    Attributes
    ----------
    points
        Alarm points of each registered furnace.
    sync_offsets_s
        By how much brightness follows the current, per furnace.
    """

    points: Mapping[str, tuple[AlarmPoint, ...]]
    sync_offsets_s: Mapping[str, float]
