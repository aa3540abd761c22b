"""What is known at the end of a backtest."""

from dataclasses import dataclass, field

from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_point import AlarmPoint

from meltwatch_backtester.domain.findings import Findings
from meltwatch_backtester.domain.sight import Sight
from meltwatch_backtester.domain.tally import Tally


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """What is known at the end.

    Attributes
    ----------
    findings, tally
        Comparison and counts.
    alarms, live_alarms
        The replayed journal of the span and the live one.
    points
        By alarm id, the alarm points of the furnaces that have windows, as they were tried.
    states
        By alarm id, the state at the end.
    before
        By alarm id, the last live record before the span.
    judged_ones
        Live records that bear a judgement.
    sights
        What was to be seen at raises.
    """

    findings: Findings
    tally: Tally
    alarms: list[AlarmRecord] = field(default_factory=list)
    live_alarms: list[AlarmRecord] = field(default_factory=list)
    points: dict[str, AlarmPoint] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    before: dict[str, AlarmRecord] = field(default_factory=dict)
    judged_ones: list[AlarmRecord] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
