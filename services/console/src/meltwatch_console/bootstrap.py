"""Puts the console together from its settings."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from fastapi import FastAPI
from meltwatch_chassis.clock import Clock, SystemClock
from meltwatch_chassis.dependencies import KAFKA, Dependencies, DependencyWatch
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.kafka.alarm_feed import AlarmFeed
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.kafka.probe import kafka_probe
from meltwatch_chassis.loop_vitals import LoopVitals
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.plant import Plant, read_plant
from meltwatch_chassis.tasks import first_of
from meltwatch_schemas.access import Principal, rights_of

from meltwatch_console.adapters.alarm_file import AlarmFile, AlarmKeeper
from meltwatch_console.adapters.evidence_folder import OccurrenceFolder
from meltwatch_console.adapters.http.alarms import alarm_routes
from meltwatch_console.adapters.http.backtests import backtest_routes
from meltwatch_console.adapters.http.commands import command_routes
from meltwatch_console.adapters.http.described import document_routes
from meltwatch_console.adapters.http.furnaces import furnace_routes
from meltwatch_console.adapters.http.gate import Gate
from meltwatch_console.adapters.http.occurrences import occurrence_routes
from meltwatch_console.adapters.http.pictures import picture_routes
from meltwatch_console.adapters.http.static_files import static_routes
from meltwatch_console.adapters.http.stream import stream_routes
from meltwatch_console.adapters.http.system import system_routes
from meltwatch_console.adapters.kafka_archive import KafkaArchive
from meltwatch_console.adapters.kafka_scores import ScoreFeed
from meltwatch_console.adapters.read_counts import ReadCounts
from meltwatch_console.adapters.ring_file import RingFile, RingKeeper
from meltwatch_console.adapters.service_metrics import MetricsReader
from meltwatch_console.adapters.tokens import TokenReader
from meltwatch_console.adapters.web_server import bound_socket, serve, web_app
from meltwatch_console.app import Console, tell_scores
from meltwatch_console.domain.alarm_lines import AlarmFigures, AlarmLines
from meltwatch_console.domain.identity import groups_of
from meltwatch_console.domain.journal import JournalTail
from meltwatch_console.domain.metrics_sources import metrics_sources_of
from meltwatch_console.domain.occurrences import OccurrenceBook, ReviewQuestion, ReviewScope
from meltwatch_console.domain.roster import Roster
from meltwatch_console.pipeline.evidence import EvidenceKeeper
from meltwatch_console.pipeline.hub import Hub
from meltwatch_console.pipeline.live_picture import LivePicture
from meltwatch_console.pipeline.mailbox import Mailbox, PaceBook
from meltwatch_console.pipeline.pictures import PictureDesk
from meltwatch_console.pipeline.score_book import ScoreBook
from meltwatch_console.pipeline.system_report import SystemReport
from meltwatch_console.settings import Settings

ADAPTER = "console"
"""What commands name: ``via``."""
_RARELY = (50_000, 20, 1_000)
"""When rubbish is looked for. Scores that come and go hold no cycles, and to look through all that
is kept of a thousand furnaces holds up every browser."""


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Show the plant to browsers until told to stop."""
    gc.set_threshold(*_RARELY)
    clock, metrics = SystemClock(), Metrics()
    rights = rights_of(Principal.CONSOLE, settings.topic_prefix)
    connection = connection_arguments(settings)
    listener, address = bound_socket(
        settings.console_address, only_loopback=settings.console_auth == "none"
    )
    parts = assembled(settings, clock, metrics)
    console, furnaces = parts.console, parts.furnaces
    health = Health(
        progress=parts.vitals.progress,
        readiness=lambda: parts.dependencies.problem() or console.unready(),
    )
    with (
        DependencyWatch(parts.dependencies, {KAFKA: kafka_probe(connection, rights)}),
        HealthServer(settings.health_address, health, metrics.registry) as server,
    ):
        log = structlog.get_logger()
        log.info("health_served", address=server.address)
        log.info("console_served", address=address, auth=settings.console_auth)
        if parts.alarms is not None:
            parts.alarms.restore()
        async with aclosing(furnaces.archive):
            await first_of(
                stop.wait(),
                serve(parts.app, listener),
                console.follow_alarms(),
                console.beat(),
                _follow_scores(furnaces),
                tell_scores(furnaces.book.delta, parts.hub.publish),
                *(each.keep_on() for each in (furnaces.keeper, parts.alarms) if each),
            )


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """A console that is put together and does nothing yet."""

    app: FastAPI
    console: Console
    furnaces: "FurnaceParts"
    hub: Hub
    dependencies: Dependencies
    vitals: LoopVitals
    alarms: AlarmKeeper | None


def assembled(settings: Settings, clock: Clock, metrics: Metrics) -> ConsoleParts:
    """Return a console whose parts know each other; nothing is asked or opened."""
    rights = rights_of(Principal.CONSOLE, settings.topic_prefix)
    plant, gate = read_plant(settings.plant_file), _gate(settings)
    roster = Roster((furnace.id for furnace in plant.furnaces), settings.console_max_furnaces)
    lines = AlarmLines(clock.now_ns())
    picture = LivePicture(roster, JournalTail(), OccurrenceBook(), lines, clock)
    hub = Hub(token_hex(4), clock, picture.snapshot)
    picture.publish = hub.publish
    dependencies = Dependencies(metrics, clock)
    vitals = LoopVitals(clock, dependencies)
    feed = AlarmFeed(connection_arguments(settings), settings.topic_prefix, rights, ADAPTER, clock)
    furnaces = _furnaces(settings, feed, picture, clock, metrics)
    console = Console(feed, picture, vitals, clock, furnaces.keeper)
    page = _page(settings, plant)
    app = web_app(
        [
            stream_routes(gate, hub),
            alarm_routes(gate, picture, page),
            command_routes(gate, Mailbox(feed, picture.alarm, clock), PaceBook(clock)),
            furnace_routes(gate, furnaces.book, furnaces.desk, lambda: feed.points.points, clock),
            picture_routes(gate, furnaces.desk),
            backtest_routes(gate, settings.console_backtests),
            occurrence_routes(gate, picture.occurrences, furnaces.folder),
            system_routes(
                gate,
                SystemReport(
                    roster,
                    furnaces.book,
                    lambda: feed.pulse.newest,
                    lambda: _of_itself(hub, furnaces, roster, metrics),
                    clock,
                ),
                MetricsReader(metrics_sources_of(settings.console_metrics), clock),
                lambda: _figures(picture, ZoneInfo(page["time_zone"]), clock),
            ),
            static_routes(),
        ]
    )
    app.include_router(document_routes(gate, app))
    alarms = _alarms(settings, picture, clock)
    return ConsoleParts(app, console, furnaces, hub, dependencies, vitals, alarms)


@dataclass(frozen=True, slots=True)
class FurnaceParts:
    """What is known of furnaces beside their alarms."""

    book: ScoreBook
    scores: ScoreFeed
    archive: KafkaArchive
    desk: PictureDesk
    folder: OccurrenceFolder | None
    keeper: EvidenceKeeper | None
    rings: RingKeeper | None
    counts: ReadCounts


async def _follow_scores(furnaces: FurnaceParts) -> None:
    """Take over the traces that were kept, then follow the scores."""
    if furnaces.rings is None:
        await furnaces.scores.follow()
        return
    furnaces.scores.known_ms = await furnaces.rings.restore()
    await first_of(furnaces.scores.follow(), furnaces.rings.keep_on())


def _furnaces(
    settings: Settings, feed: AlarmFeed, picture: LivePicture, clock: Clock, metrics: Metrics
) -> FurnaceParts:
    book = ScoreBook(settings.topic_prefix, picture.index_of)
    picture.scores = book.delta.snapshot

    connection, prefix = connection_arguments(settings), settings.topic_prefix
    counts = ReadCounts(metrics, prefix)
    feed.note_refused = counts.count_refused
    scores = ScoreFeed(connection, prefix, book.take_scores, counts, clock)
    archive = KafkaArchive(connection, prefix, counts)
    desk = PictureDesk(book, archive)
    folder = _evidence(settings, clock)
    keeper = _keeper(desk, book, folder, picture.occurrences, feed)
    rings = _rings(settings, book, clock)
    return FurnaceParts(book, scores, archive, desk, folder, keeper, rings, counts)


def _keeper(
    desk: PictureDesk,
    book: ScoreBook,
    folder: OccurrenceFolder | None,
    occurrences: OccurrenceBook,
    feed: AlarmFeed,
) -> EvidenceKeeper | None:
    if folder is None:
        return None
    for each in folder.occurrences():
        occurrences.recall(each)
    return EvidenceKeeper(desk, book, folder, occurrences, lambda: feed.points.points)


def _figures(picture: LivePicture, zone: ZoneInfo, clock: Clock) -> AlarmFigures | None:
    judged = picture.occurrences.answer(ReviewQuestion(ReviewScope.YES))
    return picture.lines.figures(clock.now_ns(), zone, judged)


def _of_itself(
    hub: Hub, furnaces: FurnaceParts, roster: Roster, metrics: Metrics
) -> dict[str, Any]:
    """Return what the console says of itself."""
    keeper = furnaces.keeper
    return {
        "browsers": hub.browsers,
        "memory_bytes": metrics.registry.get_sample_value("process_resident_memory_bytes"),
        "read_bytes": furnaces.counts.read_bytes(),
        "scores_problem": furnaces.scores.problem,
        "history_left": furnaces.scores.history_left,
        "history_from_ms": furnaces.book.oldest_ms(),
        "furnaces_left_out": roster.left_out,
        "evidence": keeper and {"kept": keeper.kept, "failed": keeper.failed},
    }


def _gate(settings: Settings) -> Gate:
    keys, issuer = settings.console_jwks_file, settings.console_issuer
    audience = settings.console_audience
    if settings.console_auth == "none" or keys is None or issuer is None or audience is None:
        return Gate(None, settings.console_origin)
    groups = groups_of(settings.console_groups)
    return Gate(TokenReader(keys, issuer, audience, groups), settings.console_origin)


def _evidence(settings: Settings, clock: Clock) -> OccurrenceFolder | None:
    folder = settings.console_evidence_dir
    if folder is None:
        return None
    most, days = settings.console_evidence_most, settings.console_evidence_days
    with _folder_of("MELTWATCH_CONSOLE_EVIDENCE_DIR"):
        return OccurrenceFolder(folder, most, days, clock)


def _rings(settings: Settings, book: ScoreBook, clock: Clock) -> RingKeeper | None:
    if settings.console_ring_dir is None:
        return None
    with _folder_of("MELTWATCH_CONSOLE_RING_DIR"):
        file = RingFile(settings.console_ring_dir, settings.console_max_furnaces)
    return RingKeeper(book, file, clock)


def _alarms(settings: Settings, picture: LivePicture, clock: Clock) -> AlarmKeeper | None:
    if settings.console_ring_dir is None:
        return None
    with _folder_of("MELTWATCH_CONSOLE_RING_DIR"):
        file = AlarmFile(settings.console_ring_dir, settings.topic_prefix)
    return AlarmKeeper(picture, file, clock)


@contextmanager
def _folder_of(variable: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{variable}: expected a folder to write to, got {error}"
        ) from None


def _page(settings: Settings, plant: Plant) -> dict[str, Any]:
    """Return what the page is told of itself."""
    of_plant = "zh" if (plant.language or "").startswith("zh") else "en"
    return {
        "auth": settings.console_auth,
        "time_zone": settings.console_time_zone or plant.time_zone or "UTC",
        "language": settings.console_language or of_plant,
    }
