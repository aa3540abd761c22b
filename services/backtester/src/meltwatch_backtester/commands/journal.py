"""``meltwatch alarms journal``: alarms kept for longer than Kafka keeps them."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from meltwatch_chassis.located import located
from meltwatch_chassis.progress import progress
from meltwatch_chassis.terminal import print_json, print_line, print_notice
from meltwatch_schemas.instants import rfc3339, utc_from_ns

from meltwatch_backtester import bootstrap
from meltwatch_backtester.commands.options import AsJson
from meltwatch_backtester.domain.volume import JOURNALLED
from meltwatch_backtester.pipeline.journalling import Added, catch_up
from meltwatch_backtester.settings import Settings


def journal(
    folder: Annotated[Path, Parameter("FOLDER", allow_leading_hyphen=False, help="Of Parquet.")],
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """Write down what the alarm topics have had since the last run; once an hour is often enough.

    Kafka keeps every change of an alarm for 7 days. A run that is interrupted loses nothing.
    """
    settings = located(Settings, os.environ, "kafka")
    kept = bootstrap.journal_folder(folder)
    with (
        kept.writing(),
        bootstrap.journal_topics(settings) as kafka,
        progress("journal", "records") as advance,
    ):
        added = [catch_up(topic, kafka, kept, advance) for topic in JOURNALLED]
    if as_json:
        print_json([_document(each) for each in added])
    else:
        for each in added:
            noun = "record" if each.records == 1 else "records"
            print_line(f"{each.topic}: {each.records} {noun} added, up to offset {each.end}")
    for each in added:
        if each.hole is not None:
            print_notice(f"{each.topic}: records may be missing from {each.hole}")
    return 0


def _document(added: Added) -> dict[str, object]:
    hole = added.hole
    return {
        "topic": added.topic.value,
        "records": added.records,
        "end": added.end,
        "missing": hole
        and {
            "from": rfc3339(utc_from_ns(hole.begin_ns)),
            "to": rfc3339(utc_from_ns(hole.end_ns)),
            "why": hole.why,
        },
    }
