"""A plant as its console shows it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Self
from uuid import uuid4

import numpy as np

from meltwatch.errors import AnswerError, RefusedError
from meltwatch.instants import Instant, ms_of, utc_of
from meltwatch.pictures import PictureSeries, pixels_of
from meltwatch.stream import PlantChange, changes
from meltwatch.table import ArrowTable, table_of
from meltwatch.web import Door, Parameters, refusal

_ARROW: Final = "application/vnd.apache.arrow.stream"
_PNG: Final = "image/png"
_MOST_MAPS: Final = 500
_NOT_FOUND: Final = 404
_DONE: Final = 200


def connect(
    address: str, *, token: str | None = None, timeout_s: float = 30.0, ca_file: str | None = None
) -> "PlantClient":
    """Return a plant by the address of its console; nothing is asked yet.

    Parameters
    ----------
    address
        As ``make run`` and ``meltwatch status`` show it, or that of the plant's proxy.
    token
        A signed token of the plant's login; none is needed on loopback.
    timeout_s
        How long an answer may take.
    ca_file
        Certificates to trust; None takes those of the system.
    """
    return PlantClient(Door(address, token, timeout_s, ca_file))


class PlantClient:
    """Asks a console, and passes commands on.

    Times are given with a zone, as ISO 8601 or ``datetime``; those of tables are in UTC.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._door.close()

    def me(self) -> dict[str, Any]:
        """Return who asks, with which role, and the plant's time zone."""
        return self._object("me")

    def furnaces(self) -> ArrowTable:
        """Return every furnace."""
        return self._table("furnaces")

    def alarms(self) -> ArrowTable:
        """Return the alarms that are not normal."""
        return self._table("alarms")

    def alarm(self, alarm_id: str) -> dict[str, Any]:
        """Return the newest record of an alarm, all of it."""
        return self._object(f"alarms/{alarm_id}")

    def journal(
        self,
        furnace: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        *,
        state: str | None = None,
        most: int = 500,
    ) -> ArrowTable:
        """Return what has happened, newest first, as far as the console remembers.

        Parameters
        ----------
        furnace
            A furnace id, or a level above it.
        since, until
            When it was written; ``until`` not included.
        state
            That was entered, e.g. ``UNACK``.
        most
            Records, at most 500.
        """
        times = {
            name: None if at is None else utc_of(at).isoformat()
            for name, at in (("since", since), ("until", until))
        }
        return self._table("journal", {"furnace": furnace, "state": state, "most": most} | times)

    def scores(
        self,
        furnace: str,
        since: Instant | None = None,
        until: Instant | None = None,
        *,
        step_s: float = 0.0,
    ) -> ArrowTable:
        """Return the scores of a furnace: each window, or the extremes of each step.

        Windows are kept for an hour, extremes of minutes for a week; 5,000 rows at most.
        """
        step = {"step": round(1000 * step_s)}
        return self._table(f"furnaces/{furnace}/scores", _stretch(since, until) | step)

    def newest(self, furnace: str) -> dict[str, Any]:
        """Return the newest window of a furnace: score, members, quality of its inputs."""
        return self._object(f"furnaces/{furnace}/newest")

    def currents(
        self, furnace: str, since: Instant | None = None, until: Instant | None = None
    ) -> ArrowTable:
        """Return the phase currents of a furnace, A, on half seconds; an hour at most."""
        return self._table(f"furnaces/{furnace}/currents", _stretch(since, until))

    def frames(self, furnace: str, at: Instant | None = None) -> PictureSeries:
        """Return the frames of the clip that ends at an instant, or of the newest."""
        told = self._object(f"furnaces/{furnace}/frames", {"at": ms_of(at)})
        places = _field(told, "frames", list)
        pixels, times = [], []
        for place in places:
            partition, offset, event_ns = (
                int(_field(place, name, kind))
                for name, kind in (("partition", int), ("offset", int), ("event_ns", str))
            )
            path = f"furnaces/{furnace}/frames/{partition}-{offset}.png"
            pixels.append(pixels_of(self._door.get(path, _PNG, {"event_ns": event_ns}), "RGB"))
            times.append(event_ns)
        return _series(times, pixels, (0, 64, 64, 3))

    def maps(self, furnace: str, since: Instant, until: Instant) -> PictureSeries:
        """Return the anomaly maps of the windows that end in ``[since, until)`` and have one.

        Raises
        ------
        ValueError
            If there are more than 500 windows.
        """
        ends_ms = self.scores(furnace, since, until).arrow.column("end").cast("int64").to_pylist()
        if len(ends_ms) > _MOST_MAPS:
            raise ValueError(f"expected at most {_MOST_MAPS} windows, got {len(ends_ms)}")
        pixels, times = [], []
        for end_us in ends_ms:
            try:
                png = self._door.get(f"furnaces/{furnace}/maps/{end_us // 1000}.png", _PNG)
            except RefusedError as error:
                if error.status != _NOT_FOUND:
                    raise
                continue  # a quiet window has no map
            pixels.append((pixels_of(png, "L") / 255).astype(np.float32))
            times.append(end_us * 1000)
        return _series(times, pixels, (0, 64, 64))

    def follow(self, patience_s: float = 120.0) -> Iterator[PlantChange]:
        """Yield all changes as they happen, the whole picture first, for ever.

        After a loss it asks for what it has missed. A console that is away for longer than
        ``patience_s`` is an ``UnreachableError``.
        """
        return changes(self._door, patience_s)

    def acknowledge(self, alarm_id: str, seen: str, comment: str | None = None) -> dict[str, Any]:
        """Acknowledge an alarm that somebody has seen.

        Parameters
        ----------
        seen
            Its ``annunciation_id`` as it was seen: if the alarm has changed since, this is refused.
        """
        return self.command(alarm_id, "ack", seen=seen, comment=comment)

    def judge(
        self, alarm_id: str, verdict: str, cause: str | None = None, comment: str | None = None
    ) -> dict[str, Any]:
        """Say of an alarm whether it was right: true_alarm, false_alarm or unclear."""
        told = {"verdict": verdict} | ({} if cause is None else {"cause": cause})
        return self.command(alarm_id, "judge", comment=comment, arguments=told)

    def command(
        self,
        alarm_id: str,
        command: str,
        *,
        seen: str | None = None,
        comment: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Pass a command on; return the alarm manager's answer.

        Parameters
        ----------
        command
            ack, reset, comment, shelve, unshelve, judge, out_of_service or in_service.
        seen
            ``annunciation_id`` of what was seen; ack and reset need it.
        arguments
            As scada.md describes them, e.g. ``{"duration_s": 900, "reason": "nuisance"}``.

        Raises
        ------
        RefusedError
            With ``code`` and the newest record; ``unanswered`` if nobody has answered in 5 s.
        """
        asked = {
            "alarm_id": alarm_id,
            "command": command,
            "command_id": str(uuid4()),
            "expected_event_id": seen,
            "comment": comment,
            "arguments": dict(arguments or {}),
        }
        status, said = self._door.post("commands", asked)
        if status != _DONE:
            raise refusal(status, said)
        result: dict[str, Any] = _field(said, "result", dict)
        return result

    def _table(self, path: str, parameters: Parameters | None = None) -> ArrowTable:
        return table_of(self._door.get(path, _ARROW, parameters))

    def _object(self, path: str, parameters: Parameters | None = None) -> dict[str, Any]:
        found = self._door.json(path, parameters)
        if not isinstance(found, dict):
            raise AnswerError(f"expected an object from {path}, got {type(found).__name__}")
        return found


def _stretch(since: Instant | None, until: Instant | None) -> dict[str, str | int | None]:
    return {"since": ms_of(since), "until": ms_of(until)}


def _field(told: Any, name: str, kind: type[Any]) -> Any:
    value = told.get(name) if isinstance(told, dict) else None
    if not isinstance(value, kind) or (isinstance(value, str) and not value.isdecimal()):
        raise AnswerError(f"expected {name} as {kind.__name__}, got {str(value)[:100]!r}")
    return value


def _series(times_ns: list[int], pixels: list[Any], empty: tuple[int, ...]) -> PictureSeries:
    times = np.array(times_ns, np.int64).view("datetime64[ns]")
    if not pixels:
        return PictureSeries(times, np.zeros(empty, np.uint8 if len(empty) > 3 else np.float32))
    if len({each.shape for each in pixels}) != 1:
        raise AnswerError("expected pictures of one size, got several")
    return PictureSeries(times, np.stack(pixels))
