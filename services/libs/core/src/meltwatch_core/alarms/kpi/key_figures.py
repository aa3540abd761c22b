"""The key figures of alarms in plain words, each with the target that it is held against.

Targets after ISA-18.2 and EEMUA 191 as public sources tell them; both standards are sold. They are
meant for one operator's position and for thirty days or more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meltwatch_schemas.alarm import Priority
from meltwatch_schemas.window import NS_PER_S

from meltwatch_core.alarms.kpi.nuisance import Standing
from meltwatch_core.alarms.kpi.performance import Performance

FEW: Final = 100
"""Shares of fewer annunciations than this say little: they are shown and not judged."""
_SHARES: Final = {
    Priority.CRITICAL: "below 1 %",
    Priority.HIGH: "about 5 %",
    Priority.MEDIUM: "about 15 %",
    Priority.LOW: "about 80 %",
}


class Grade(StrEnum):
    """How a figure stands to its target; ``none`` where there is none to hold it against."""

    GOOD = "good"
    FAIR = "fair"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure.

    Attributes
    ----------
    key
        For programs; never changes.
    title, meaning
        For people.
    value, unit
        A number, None where there is nothing to count; ``%`` and ``s`` are units.
    target
        In words; empty where the plant sets it.
    grade
        How it stands to the target.
    """

    key: str
    title: str
    value: float | None
    unit: str
    target: str
    grade: Grade
    meaning: str

    @property
    def text(self) -> str:
        """The value as people read it."""
        if self.value is None:
            return "–"
        rounded = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.3g}"
        return f"{rounded} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Audit:
    """What the journal holds beside alarms.

    Attributes
    ----------
    denied
        Commands that somebody had no right to give; they were refused.
    unapproved
        Alarm points that were written and name nobody who changed or approved them.
    """

    denied: int = 0
    unapproved: int = 0


def figures_of(found: Performance, audit: Audit | None) -> list[Figure]:
    """Return all key figures of a stretch, in the order in which people read them.

    Without an audit the figures that rest on it are left out: unknown is not none.
    """
    return [
        *_load(found),
        *_shares(found),
        *_nuisance(found),
        *_responses(found),
        *_suppression(found, audit),
    ]


def _load(found: Performance) -> Iterator[Figure]:
    yield Figure(
        "annunciations", "Alarms announced", found.annunciations, "", "", Grade.NONE,
        "Every entry into the state UNACK, re-alarms included, suppressed ones not.",
    )  # fmt: skip
    for key, unit, value, good, fair in (
        ("per_day", "day", found.per_day, 150, 300),
        ("per_hour", "hour", found.per_hour, 6, 12),
        ("per_10_min", "10 minutes", found.per_ten_minutes, 1, 2),
    ):
        yield Figure(
            key, f"Alarms per {unit}", value, "",
            f"about {good} is very likely acceptable, {fair} is the most that can be managed",
            _at_most(value, good, fair), "The mean over the whole time.",
        )  # fmt: skip
    yield Figure(
        "peak_10_min", "Most in any 10 minutes", found.peak.count, "",
        "at most 10; more than 20 is hard to cope with", _at_most(found.peak.count, 10, 20),
        "Sliding, not by the clock.",
    )  # fmt: skip
    for key, unit, share, limit in (
        ("bins_over", "10 minutes", found.bins_over, 10),
        ("hours_over", "hours", found.hours_over, 30),
    ):
        yield Figure(
            key, f"{unit} with more than {limit}", 100 * share, "%", "below 1 %",
            _below(100 * share, 1), f"Share of all {unit} of the clock.",
        )  # fmt: skip
    yield Figure(
        "flooded", "Time in floods", 100 * found.flooded, "%", "below 1 %",
        _below(100 * found.flooded, 1),
        f"{len(found.floods)} floods: from more than 10 to fewer than 5 in 10 minutes.",
    )  # fmt: skip


def _shares(found: Performance) -> Iterator[Figure]:
    count = found.annunciations
    yield Figure(
        "top_ten", "Share of the ten most frequent", 100 * found.top_share, "%", "1 to 5 %",
        _if_many(count, _at_most(100 * found.top_share, 5, 5)),
        "A few alarms that repeat are worth a plan each.",
    )  # fmt: skip
    for priority, target in _SHARES.items():
        share = 100 * found.by_priority.get(priority, 0) / count if count else 0.0
        yield Figure(
            f"share_{priority}", f"Share of priority {priority}", share, "%", target, Grade.NONE,
            f"{found.by_priority.get(priority, 0)} of {count}.",
        )  # fmt: skip


def _nuisance(found: Performance) -> Iterator[Figure]:
    fast = sum(each.is_fast for each in found.chatter)
    chattering = sum(each.is_chattering for each in found.chatter)
    yield Figure(
        "chattering", "Chattering alarms", fast, "", "0", _at_most(fast, 0, 0),
        "Raised three times or more within 60 s.",
    )  # fmt: skip
    yield Figure(
        "chatter_index", "Alarms with a chatter index from 0.05", chattering, "", "0",
        _at_most(chattering, 0, 0), "As if raised every 20 s: mean of 1 / seconds between raises.",
    )  # fmt: skip
    fleeting = found.fleeting.total()
    yield Figure(
        "fleeting", "Fleeting alarms", fleeting, "", "0", _at_most(fleeting, 0, 0),
        "Gone within 10 s, before anybody did anything.",
    )  # fmt: skip
    most = found.most_stale_of_a_day
    yield Figure(
        "stale", "Most stale alarms on one day", most, "", "below 5", _below(most, 5),
        "Active and announced for more than 24 h.",
    )  # fmt: skip
    standing = sum(found.standing.values())
    yield Figure(
        "standing", "Standing at the end", standing, "", "below 10", _below(standing, 10),
        "Active, and not suppressed.",
    )  # fmt: skip


def _responses(found: Performance) -> Iterator[Figure]:
    for priority, response in found.responses.items():
        of = f"{response.acknowledged} of {response.count} were acknowledged."
        for key, share, value in (
            ("p50", "half", response.p50_s),
            ("p95", "95 %", response.p95_s),
        ):
            yield Figure(
                f"response_{key}_{priority}", f"{priority}: {share} acknowledged within", value,
                "s", "set by the site", Grade.NONE, of,
            )  # fmt: skip
        yield Figure(
            f"beyond_{priority}", f"{priority}: not acknowledged in time",
            None if response.beyond is None else 100 * response.beyond, "%", "set by the site",
            Grade.NONE, "Longer than the alarm's time to respond.",
        )  # fmt: skip


def _suppression(found: Performance, audit: Audit | None) -> Iterator[Figure]:
    for key, title, alarms in (
        ("shelved", "Shelved at the end", found.shelved),
        ("by_design", "Suppressed by design at the end", found.by_design),
        ("out_of_service", "Out of service at the end", found.out_of_service),
    ):
        longest = _longest_h(alarms, found.stretch.end_ns)
        meaning = "" if longest is None else f"The longest for {longest:.1f} h."
        yield Figure(key, title, len(alarms), "", "", Grade.NONE, meaning)
    nobody = len(found.unauthorised)
    yield Figure(
        "unauthorised", "Suppressions that name nobody", nobody, "", "0", _at_most(nobody, 0, 0),
        "Shelved or out of service, and the record does not say by whom.",
    )  # fmt: skip
    if audit is not None:
        yield from _audited(audit)


def _audited(audit: Audit) -> Iterator[Figure]:
    yield Figure(
        "unapproved", "Changes of alarm points that name nobody", audit.unapproved, "", "0",
        _at_most(audit.unapproved, 0, 0), "Written without saying who changed or approved it.",
    )  # fmt: skip
    yield Figure(
        "denied", "Commands without the right", audit.denied, "", "", Grade.NONE,
        "Refused, and nothing was changed.",
    )  # fmt: skip


def _longest_h(alarms: list[Standing], end_ns: int) -> float | None:
    return (end_ns - alarms[0].since_ns) / NS_PER_S / 3600 if alarms else None


def _at_most(value: float, good: float, fair: float) -> Grade:
    if value <= good:
        return Grade.GOOD
    return Grade.FAIR if value <= fair else Grade.BAD


def _below(value: float, limit: float) -> Grade:
    return Grade.GOOD if value < limit else Grade.BAD


def _if_many(count: int, grade: Grade) -> Grade:
    return grade if count >= FEW else Grade.NONE


GRADE_WORDS: Final[dict[Grade, str]] = {
    Grade.GOOD: "✓",
    Grade.FAIR: "≈",
    Grade.BAD: "✗",
    Grade.NONE: "",
}
"""A sign beside the colour: colour alone says nothing to some."""
