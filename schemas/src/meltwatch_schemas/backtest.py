"""The result of a backtest as others read it, and what two of them do not have in common.

Readers ignore what they do not know: a folder of a later version can still be listed.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from meltwatch_schemas.alarm import AlarmVerdict
from meltwatch_schemas.bounds import Counter, Delay, Logit, ToldName, ToldText, ToldWord
from meltwatch_schemas.instants import UtcTime, rfc3339
from meltwatch_schemas.json_message import AlarmId, FurnaceId, Message
from meltwatch_schemas.raises import RaiseAnswer, Raised, RaiseOccasion, answer_of

MAX_FURNACES: Final = 20_000
MAX_POINTS: Final = 100_000
MAX_LABELS: Final = 100_000
_STATUSES: Final = ("scored", "degraded", "unscored", "skipped")

Pair = Annotated[list[Logit | None], Field(min_length=2, max_length=2)]


class BacktestModel(Message):
    """The ensemble that scored."""

    name: ToldName = Field(description="Ensemble name.")
    version: ToldName = Field(description="Model version.")
    digest: ToldName = Field(description="SHA-256 over the members' files.")


class BacktestVerdict(Message):
    """How the replay compares with live."""

    verdict: ToldWord = Field(description="same, explained, different or nothing_to_compare.")
    statement: ToldText = Field(description="The same in a sentence.")


class TriedPoint(Message):
    """An alarm point as it was tried."""

    alarm_id: AlarmId = Field(description="Which.")
    raises: Counter = Field(description="Raises of the replay.")
    logit_on: Logit = Field(description="Raises at or above it.")
    logit_off: Logit = Field(description="Clears below it.")
    on_delay_s: Delay | None = Field(default=None, description="Held this long before raising.")
    off_delay_s: Delay | None = Field(default=None, description="Held this long before clearing.")
    k: int | None = Field(default=None, ge=1, description="Instead of the delay: k of n windows.")
    n: int | None = Field(default=None, ge=1, description="See k.")
    imbalance_on: float | None = Field(
        default=None, description="Instead of the logit, the imbalance of currents is judged."
    )
    novelty_on: float | None = Field(
        default=None, description="Instead of the logit, the surprise is judged: raises from it on."
    )
    novelty_off: float | None = Field(default=None, description="Clears below it.")
    active_before: bool = Field(default=False, description="It stood before the span.")
    known_until: UtcTime | None = Field(
        default=None, description="Newest window before the span that this rests on."
    )

    @property
    def setpoint(self) -> str:
        """Thresholds, and delays where they are known."""
        text = f"{self.logit_on:g} / {self.logit_off:g}"
        if self.on_delay_s is None:
            return text
        return f"{text}, delays {self.on_delay_s:g} s / {self.off_delay_s or 0:g} s"


class LabelCount(Message):
    """Stretches with one verdict, and what was raised in them."""

    labels: Counter = Field(description="How many.")
    raised: Counter = Field(description="In how many the replay raises.")
    raised_live: Counter | None = Field(default=None, description="In how many live raised.")
    kept: Counter | None = Field(default=None, description="In how many both do.")
    lost: Counter | None = Field(default=None, description="In how many live alone did.")


class FoundEvents(Message):
    """Stretches that were judged true, as events to be found."""

    found: Counter = Field(description="An alarm of the replay stood in them.")
    missed: Counter = Field(description="None did.")
    share_low: float = Field(ge=0, le=1, description="Lower 95 % bound of the share found.")
    share_high: float = Field(ge=0, le=1, description="Upper 95 % bound of it.")
    median_after_s: float | None = Field(description="From an event's start to the alarm.")
    median_lead_s: float | None = Field(description="From the alarm to an event's end.")


class LabelAnswer(Message):
    """What people have judged, beside what the replay raises."""

    true_alarm: LabelCount = Field(description="Judged right.")
    false_alarm: LabelCount = Field(description="Judged wrong.")
    raised_without_label: Counter = Field(description="Raised where nobody has judged.")
    events: FoundEvents | None = Field(default=None, description="Of those judged right.")


class BacktestRun(Message):
    """What ``run.json`` says, as far as others read it."""

    run_id: ToldName = Field(description="Of the question on its data.")
    from_: UtcTime = Field(alias="from", description="First window end.")
    to: UtcTime = Field(description="Last window end, excluded.")
    cuts: ToldWord = Field(description="recorded or event-time.")
    furnaces: list[FurnaceId] = Field(max_length=MAX_FURNACES, description="Asked for; empty: all.")
    model: BacktestModel = Field(description="That scored.")
    thresholds: dict[ToldName, Pair | None] = Field(
        max_length=MAX_POINTS, description="Asked for: all, or an alarm id."
    )
    portraits: dict[FurnaceId, ToldName] = Field(
        default_factory=dict,
        max_length=MAX_FURNACES,
        description="Asked for, in place of live's: by furnace.",
    )
    windows: dict[FurnaceId, dict[ToldWord, Counter]] = Field(
        max_length=MAX_FURNACES, description="Per furnace and status."
    )
    comparison: BacktestVerdict = Field(description="With live.")
    alarms: list[TriedPoint] = Field(max_length=MAX_POINTS, description="Points as tried.")
    answer: RaiseAnswer | None = Field(default=None, description="Raises, live and replayed.")
    labels: LabelAnswer | None = Field(default=None, description="What people have judged.")

    @property
    def tried(self) -> str:
        """The thresholds and portraits that were asked for, in words."""
        return ", ".join([*self._thresholds(), *self._portraits()]) or "as recorded"

    @property
    def tried_thresholds(self) -> str:
        """The thresholds alone."""
        return ", ".join(self._thresholds()) or "as recorded"

    @property
    def tried_portraits(self) -> str:
        """The portraits alone."""
        return ", ".join(self._portraits()) or "as recorded"

    def _thresholds(self) -> Iterator[str]:
        for name, pair in self.thresholds.items():
            if pair is not None and pair[0] is not None:
                yield f"{name}: {pair[0]:g} / {'own' if pair[1] is None else f'{pair[1]:g}'}"

    def _portraits(self) -> Iterator[str]:
        for name, portrait_id in self.portraits.items():
            yield f"portrait of {name}: {portrait_id[:16]}"

    @property
    def totals(self) -> dict[str, int]:
        """Windows of all furnaces by status."""
        rows = self.windows.values()
        return {status: sum(row.get(status, 0) for row in rows) for status in _STATUSES}

    def raises(self) -> list[Raised]:
        """Return what the replay raised."""
        occasions = self.answer.occasions if self.answer else []
        return [raised for each in occasions if (raised := each.of_other()) is not None]

    def verdicts(self) -> dict[tuple[str, datetime], AlarmVerdict]:
        """Return what people have judged of raises of the replay."""
        occasions = self.answer.occasions if self.answer else []
        return {
            (each.alarm_id, each.after): each.verdict
            for each in occasions
            if each.after is not None and each.verdict is not None
        }


class FactPair(Message):
    """Something that two backtests do not have in common."""

    name: ToldText = Field(description="What.")
    a: ToldText = Field(description="Of the first.")
    b: ToldText = Field(description="Of the second.")


class BacktestDifference(Message):
    """What two backtests do not have in common."""

    model_config = ConfigDict(populate_by_name=True)

    a: ToldName = Field(description="Run id of the first.")
    b: ToldName = Field(description="Run id of the second.")
    facts: list[FactPair] = Field(description="Settings and counts that differ.")
    from_: UtcTime | None = Field(alias="from", description="Of the span that both replayed.")
    to: UtcTime | None = Field(description="Its end; null where there is none.")
    raises: RaiseAnswer | None = Field(
        description="Raises of the first and the second in it; null where one does not say."
    )


def difference_of(a: BacktestRun, b: BacktestRun) -> BacktestDifference:
    """Return what two backtests do not have in common; of raises, within the span of both."""
    begin, end = max(a.from_, b.from_), min(a.to, b.to)
    has_both = begin < end
    raises = None
    if has_both and a.answer is not None and b.answer is not None:
        one, other = ([each for each in run.raises() if begin <= each.at < end] for run in (a, b))
        raises = _with_verdicts(answer_of(one, other), b.verdicts() | a.verdicts())
    return BacktestDifference(
        a=a.run_id,
        b=b.run_id,
        facts=list(_differing(_facts(a), _facts(b))),
        from_=begin if has_both else None,
        to=end if has_both else None,
        raises=raises,
    )


def _with_verdicts(
    raises: RaiseAnswer, known: Mapping[tuple[str, datetime], AlarmVerdict]
) -> RaiseAnswer:
    def judged(each: RaiseOccasion) -> RaiseOccasion:
        times = [at for at in (each.before, each.after) if at is not None]
        found = (known[each.alarm_id, at] for at in times if (each.alarm_id, at) in known)
        return each.model_copy(update={"verdict": next(found, None)})

    return raises.model_copy(update={"occasions": list(map(judged, raises.occasions))})


def _differing(a: dict[str, str], b: dict[str, str]) -> Iterator[FactPair]:
    for name in a | b:
        one, other = a.get(name, "–"), b.get(name, "–")
        if one != other:
            yield FactPair(name=name, a=one, b=other)


def _facts(run: BacktestRun) -> dict[str, str]:
    """Return the settings and counts of a backtest by name, in the order to be shown."""
    facts = {
        "from": rfc3339(run.from_),
        "to": rfc3339(run.to),
        "windows closed": run.cuts,
        "furnaces asked for": ", ".join(run.furnaces) or "all",
        "model": f"{run.model.name} {run.model.version}",
        "model digest": run.model.digest[:16],
        "thresholds asked for": run.tried_thresholds,
        "portraits asked for": run.tried_portraits,
        "compared with live": run.comparison.verdict,
    }
    facts |= {f"windows {status}": str(count) for status, count in run.totals.items()}
    if run.labels is not None:
        for word, count in (("true", run.labels.true_alarm), ("false", run.labels.false_alarm)):
            facts[f"judged {word}, raised"] = f"{count.raised} of {count.labels}"
    facts |= {f"set-point of {point.alarm_id}": point.setpoint for point in run.alarms}
    facts |= {f"raises of {point.alarm_id}": str(point.raises) for point in run.alarms}
    return facts
