"""What was seen at each raise, kept beyond the days that Kafka keeps frames."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import structlog
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.alarm_board import AlarmTurn
from meltwatch_schemas.alarm_point import AlarmPoint
from meltwatch_schemas.text import escaped

from meltwatch_console.domain.limits import limits_of
from meltwatch_console.domain.occurrences import OccurrenceBook, judged_in
from meltwatch_console.errors import NoPicture
from meltwatch_console.pipeline.pictures import LOOKBACK_MS, PictureDesk
from meltwatch_console.pipeline.score_book import ScoreBook

META: Final = "evidence.json"
FACTS: Final = "occurrence.json"
_SCORES_MS: Final = 600_000
_MOST_WAITING: Final = 10_000
_LOOK_S: Final = 1.0
_TRIES: Final = 5
_log = structlog.get_logger()


class EvidenceFolder(Protocol):
    """Where evidence is kept, each occurrence under its id."""

    def has(self, occurrence_id: str) -> bool:
        """Tell whether it is kept already."""
        ...

    def write(self, occurrence_id: str, files: Mapping[str, bytes]) -> None:
        """Keep files, as a whole or not at all."""
        ...

    def note(self, occurrence_id: str, facts: bytes, *, is_judged: bool) -> None:
        """Write anew what is known of one that is kept; one that is judged is kept for longer."""
        ...


class EvidenceKeeper:
    """Fetches and keeps what belongs to raises of process alarms.

    Parameters
    ----------
    desk, book
        Pictures and scores.
    folder
        Where it is kept.
    occurrences
        What is known of raises.
    points
        Returns the alarm points that somebody has written.

    Attributes
    ----------
    kept, failed
        How many since the start.
    """

    def __init__(
        self,
        desk: PictureDesk,
        book: ScoreBook,
        folder: EvidenceFolder,
        occurrences: OccurrenceBook,
        points: Callable[[], Mapping[str, AlarmPoint]],
    ) -> None:
        self._desk = desk
        self._book = book
        self._folder = folder
        self._occurrences = occurrences
        self._points = points
        self._waiting: deque[AlarmRecord] = deque(maxlen=_MOST_WAITING)
        self.kept = 0
        self.failed = 0

    def take(self, turns: Iterable[AlarmTurn]) -> None:
        """Note changes of alarms: of raises evidence is kept, of others what they say."""
        records = [turn.after for turn in turns if turn.after is not None]
        self._waiting.extend(each for each in records if _is_kept_of(each))

    def catch_up(self, alarms: Iterable[AlarmRecord]) -> None:
        """Note all alarms: nobody may have been here when they were raised or judged."""
        found = [each for each in alarms if _is_kept_of(each)]
        self._waiting.extend(sorted(found, key=lambda each: not each.active))

    async def keep_on(self) -> None:
        """Keep what was noted; never ends by itself, and no failure ends it."""
        while True:
            while self._waiting:
                record = self._waiting.popleft()
                if record.active:
                    await self._keep(record)
                await self._note(record)
            await asyncio.sleep(_LOOK_S)

    async def _note(self, record: AlarmRecord) -> None:
        """Write anew what is known of a record's occurrence, and of one that it judges."""
        ids = {record.occurrence_id, judged_in(record) or record.occurrence_id}
        for found in filter(None, map(self._occurrences.get, ids)):
            told, is_judged = (found.occurrence_id, found.to_json()), found.verdict is not None
            try:
                await asyncio.to_thread(self._folder.note, *told, is_judged=is_judged)
            except OSError as error:
                _log.warning("evidence_not_kept", occurrence=told[0], error=escaped(str(error)))

    async def _keep(self, record: AlarmRecord) -> None:
        for tries in range(1, _TRIES + 1):
            if await self._is_kept(record):
                return
            await asyncio.sleep(_LOOK_S * 2**tries)
        self.failed += 1
        _log.warning("evidence_given_up", occurrence=record.occurrence_id)

    async def _is_kept(self, record: AlarmRecord) -> bool:
        """Keep it if it is not kept yet; return whether that has succeeded."""
        occurrence = record.occurrence_id
        try:
            if await asyncio.to_thread(self._folder.has, occurrence):
                return True
            files = await self._fetched(record)
            await asyncio.to_thread(self._folder.write, occurrence, files)
        except (TransientError, FatalError, OSError) as error:
            _log.warning("evidence_not_kept", occurrence=occurrence, error=escaped(str(error)))
            return False
        self.kept += 1
        return True

    async def _fetched(self, record: AlarmRecord) -> dict[str, bytes]:
        furnace_id = record.equipment_path
        end_ms = int(record.evidence.window_end.timestamp() * 1000)
        missing: list[str] = []
        files: dict[str, bytes] = {}
        frames = await self._film(furnace_id, end_ms, files, missing)
        limits = limits_of(furnace_id, self._points(), self._book.newest(furnace_id))
        rows = [
            (row.end_ms, _hundredths(row.low), _hundredths(row.high), row.flags)
            for row in self._book.trace(furnace_id, end_ms - _SCORES_MS, end_ms + 1, 0)
        ]
        told: dict[str, Any] = {
            "occurrence_id": record.occurrence_id,
            "alarm_id": record.alarm_id,
            "furnace_id": furnace_id,
            "title": record.title,
            "window_end_ms": end_ms,
            "frames": frames,
            "spot": await self._spot(furnace_id, end_ms, files, missing),
            "scores": {"rows": rows, "on": limits.logit_on, "off": limits.logit_off},
            "currents": await self._currents(furnace_id, end_ms, missing),
            "missing": missing,
        }
        occurrence = self._occurrences.get(record.occurrence_id)
        if occurrence is not None:
            files[FACTS] = occurrence.to_json()
        files[META] = json.dumps(told, separators=(",", ":")).encode()
        return files

    async def _film(
        self, furnace_id: str, end_ms: int, files: dict[str, bytes], missing: list[str]
    ) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = []
        try:
            for place in await self._desk.film(furnace_id, end_ms):
                name = f"frame-{len(frames)}.png"
                where = place.partition, place.offset, place.event_ns
                files[name] = await self._desk.frame(furnace_id, *where)
                frames.append({"name": name, "at_ms": place.event_ns / 1e6})
        except NoPicture as error:
            missing.append(f"frames: {error}")
        return frames

    async def _spot(
        self, furnace_id: str, end_ms: int, files: dict[str, bytes], missing: list[str]
    ) -> dict[str, Any] | None:
        try:
            files["map.png"] = await self._desk.map_picture(furnace_id, end_ms)
            spot = await self._desk.spot(furnace_id, end_ms)
        except NoPicture as error:
            missing.append(f"map: {error}")
            return None
        return {"cells": spot.cells, "share": spot.share, "place": spot.place}

    async def _currents(
        self, furnace_id: str, end_ms: int, missing: list[str]
    ) -> dict[str, Any] | None:
        try:
            trace = await self._desk.currents(furnace_id, end_ms - LOOKBACK_MS, end_ms)
        except NoPicture as error:
            missing.append(f"currents: {error}")
            return None
        phases = dict(zip("abc", trace.phases, strict=True))
        return {"start_ms": trace.start_ms, "step_ms": trace.step_ms, "phases": phases}


def _is_kept_of(record: AlarmRecord) -> bool:
    return record.class_ == "process" and record.run_id is None


def _hundredths(score: float | None) -> float | None:
    return None if score is None else round(score, 2)
