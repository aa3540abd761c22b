"""``meltwatch alarms report``: how well the alarms serve those who must answer them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, tzinfo
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cyclopts import Parameter
from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.located import located
from meltwatch_chassis.progress import progress
from meltwatch_chassis.terminal import json_text, print_lines, print_notice
from meltwatch_chassis.whole_file import write_whole
from meltwatch_core.alarms.kpi.key_figures import Audit
from meltwatch_core.alarms.kpi.lines import Logged, lines_of
from meltwatch_core.alarms.kpi.load import DAY_NS
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands.options import AsJson, span_of
from meltwatch_backtester.domain.alarm_history import AlarmHistory, covered
from meltwatch_backtester.domain.span import Span
from meltwatch_backtester.domain.volume import JOURNALLED, holes_of
from meltwatch_backtester.pipeline.journalling import catch_up
from meltwatch_backtester.settings import Settings

if TYPE_CHECKING:
    from meltwatch_backtester.adapters.alarm_report import AlarmReport
    from meltwatch_backtester.adapters.journal_folder import JournalFolder


class ReportForm(StrEnum):
    """How a report is written."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"
    CSV = "csv"


_UTC: Final = "UTC"
_CLOCKS_DIFFER_NS: Final = 60 * NS_PER_S


@Parameter(name="*")
@dataclass(frozen=True)
class ReportedAlarms:
    """Which alarms are told of."""

    since: Annotated[
        str, Parameter("--from", metavar="WHEN", help="30d (ago), 12h or an RFC 3339 time.")
    ] = "30d"
    until: Annotated[str, Parameter("--to", metavar="WHEN", help="The end, excluded.")] = "now"
    journal: Annotated[
        Path | None,
        Parameter(metavar="DIR", help="Of 'alarms journal'. Without it: what Kafka still has."),
    ] = None
    zone: Annotated[
        str | None,
        Parameter(metavar="NAME", help="Of the calendar, e.g. Asia/Shanghai; else the plant's."),
    ] = None

    def history(self) -> AlarmHistory:
        """Return them, as far as the journal covers what is asked."""
        asked = span_of(self.since, self.until)
        calendar = None if self.zone is None else _zone(self.zone)
        with _journal(self.journal) as kept:
            return _history(kept, asked, calendar)


_ALL: Final = ReportedAlarms()


def report(
    *,
    alarms: ReportedAlarms = _ALL,
    form: Annotated[
        ReportForm | None, Parameter("--format", help="By default by the ending of --out.")
    ] = None,
    out: Annotated[Path | None, Parameter(metavar="FILE", help="Instead of the screen.")] = None,
    as_json: AsJson = False,
) -> int:
    """Tell how many alarms there were and how they were answered, beside targets.

    Rates, floods, chattering, fleeting and stale alarms, response and suppression, designed
    along ISA-18.2.
    """
    wanted = _form(form, out, as_json=as_json)
    history = alarms.history()
    from meltwatch_backtester.adapters.alarm_report import AlarmReport  # noqa: PLC0415 - jinja2

    told = AlarmReport(history)
    if out is None and wanted is ReportForm.TEXT:
        print_lines(*told.lines())
        return 0
    text = _text(told, wanted)
    if out is None:
        print_lines(*text.removesuffix("\n").split("\n"))
        return 0
    try:
        write_whole(out, text)
    except OSError as error:
        raise BadUsage(f"--out: {out}: {error.strerror}") from error
    for note in history.notes():
        print_notice(note)
    return 0


def _history(journal: "JournalFolder", asked: Span, zone: tzinfo | None) -> AlarmHistory:
    volumes = journal.volumes(Topic.ALARMS)
    facts = [volume.facts for volume in volumes]
    stretch = covered(asked, facts, journal.first_ms(volumes))
    span = (stretch.begin_ns, stretch.end_ns)
    # A flood that lasts may have begun on the day before. The broker's clock may be another.
    around = (stretch.begin_ns - DAY_NS, stretch.end_ns + _CLOCKS_DIFFER_NS)
    logged = list(journal.alarms(volumes, *around))
    return AlarmHistory(
        asked=asked,
        stretch=stretch,
        lines=list(lines_of(logged)),
        audit=Audit(
            denied=journal.count_refused(journal.volumes(Topic.ALARM_RESULTS), *span),
            unapproved=journal.count_unapproved(journal.volumes(Topic.ALARM_POINTS), *span),
        ),
        holes=[hole for hole in holes_of(facts) if stretch.shared_ns(hole.begin_ns, hole.end_ns)],
        unreadable=journal.count_unreadable(volumes, *span),
        zone=zone or _plants_zone(logged),
    )


def _plants_zone(logged: Sequence[Logged]) -> tzinfo:
    """Return the zone that the newest alarm names, UTC if there is none that we know."""
    zones = (each.record.time_zone for each in reversed(logged) if each.record is not None)
    with suppress(BadUsage):
        return _zone(next(filter(None, zones), _UTC))
    return UTC


def _text(told: "AlarmReport", form: ReportForm) -> str:
    if form is ReportForm.HTML:
        return told.page()
    if form is ReportForm.CSV:
        return told.csv().replace("\r\n", "\n")
    if form is ReportForm.JSON:
        return json_text(told.document(), 2) + "\n"
    return "\n".join(told.lines()) + "\n"


def _form(form: ReportForm | None, out: Path | None, *, as_json: bool) -> ReportForm:
    if as_json:
        if form not in (None, ReportForm.JSON):
            raise BadUsage(f"expected --json or --format {form}, got both")
        return ReportForm.JSON
    ending = "" if out is None else out.suffix.lower().removeprefix(".")
    known = {each.value: each for each in ReportForm} | {"htm": ReportForm.HTML}
    return form or known.get(ending, ReportForm.TEXT)


def _zone(name: str) -> tzinfo:
    if name == _UTC:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadUsage(f"--zone: expected a name like Asia/Shanghai, got {name!r}") from None


@contextmanager
def _journal(folder: Path | None) -> Iterator["JournalFolder"]:
    """Give the journal of a folder, or one of what Kafka has at this moment."""
    if folder is not None:
        yield bootstrap.journal_folder(folder)
        return
    settings = located(Settings, os.environ, "kafka")
    with TemporaryDirectory(prefix="meltwatch-journal-") as passing:
        kept = bootstrap.journal_folder(Path(passing))
        with (
            bootstrap.journal_topics(settings) as kafka,
            progress("reading", "records") as advance,
        ):
            for topic in JOURNALLED:
                catch_up(topic, kafka, kept, advance)
        yield kept
