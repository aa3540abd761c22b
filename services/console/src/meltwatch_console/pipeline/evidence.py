"""What was seen at each raise, kept beyond the days that Kafka keeps frames."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import structlog
from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_schemas.alarm import AlarmPoint, AlarmRecord
from meltwatch_schemas.alarm_board import AlarmTurn
from meltwatch_schemas.text import escaped

from meltwatch_console.domain.limits import limits_of
from meltwatch_console.errors import NoPicture
from meltwatch_console.pipeline.pictures import LOOKBACK_MS, PictureDesk
from meltwatch_console.pipeline.score_book import ScoreBook

META: Final = "evidence.json"
_SCORES_MS: Final = 600_000
_MOST_WAITING: Final = 1_000
_RAISE: Final = "RAISE"
_JUDGE: Final = "JUDGE"
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

    def note_judged(self, occurrence_id: str) -> None:
        """Note that somebody has judged it: it is kept for longer."""
        ...


class EvidenceKeeper:
    """Fetches and keeps what belongs to raises of process alarms.

    Parameters
    ----------
    desk, book
        Pictures and scores.
    folder
        Where it is kept.
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
        points: Callable[[], Mapping[str, AlarmPoint]],
    ) -> None:
        self._desk = desk
        self._book = book
        self._folder = folder
        self._points = points
        self._waiting: deque[AlarmRecord] = deque(maxlen=_MOST_WAITING)
        self.kept = 0
        self.failed = 0

    def take(self, turns: Iterable[AlarmTurn]) -> None:
        """Note the raises and judgements among changes of alarms."""
        for turn in turns:
            record = turn.after
            if record is None or record.class_ != "process" or record.run_id is not None:
                continue
            if record.transition.cause == _RAISE:
                self._waiting.append(record)
            elif record.transition.cause == _JUDGE:
                self._folder.note_judged(record.occurrence_id)

    def catch_up(self, alarms: Iterable[AlarmRecord]) -> None:
        """Note the alarms that stand: nobody may have been here when they were raised."""
        standing = [each for each in alarms if each.active and each.class_ == "process"]
        self._waiting.extend(each for each in standing if each.run_id is None)

    async def keep_on(self) -> None:
        """Keep what was noted; never ends by itself, and no failure ends it."""
        while True:
            while self._waiting:
                await self._keep(self._waiting.popleft())
            await asyncio.sleep(_LOOK_S)

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
        limits = limits_of(furnace_id, self._points())
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


def _hundredths(score: float | None) -> float | None:
    return None if score is None else round(score, 2)
