"""What answers look like: for the OpenAPI document alone, no answer goes through these models.

A test holds the answers of a real console against them.
"""

from typing import Any, Final, Literal

from meltwatch_core.alarms.kpi.key_figures import Grade
from meltwatch_schemas.alarm import AlarmRecord, AlarmVerdict, Heartbeat, Mode, Priority
from meltwatch_schemas.alarm_command import CommandResult
from meltwatch_schemas.score import ScoreStatus
from pydantic import BaseModel, ConfigDict, Field

from meltwatch_console.adapters.service_metrics import ReadingState
from meltwatch_console.domain.identity import ConsoleRole
from meltwatch_console.domain.limits import Agreement
from meltwatch_console.pipeline.live_picture import LinkState

_FLAGS: Final = "Bits: 1 no video, 2 no current, 4 unscored, 8 back-fill."
_END_MS: Final = "End of the window, ms UTC since 1970, event time."


class Shape(BaseModel):
    """An object with these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorDetail(Shape):
    """Why a request was not answered as asked."""

    code: str = Field(description="A word for programs.", examples=["bad_request"])
    message: str = Field(description="One line for people: what was expected, what came.")


class ErrorAnswer(Shape):
    """Every error looks like this."""

    error: ErrorDetail


class LinkShape(Shape):
    """How far the alarms may be trusted."""

    state: LinkState = Field(description="In a word.")
    age_s: int = Field(description="Seconds since anything of the alarm manager was heard.")
    reason: str = Field(description="What is away; empty while all is live.")


class VisitorShape(Shape):
    """Who asks, and how the page is to be shown."""

    user: str = Field(description="From the token.", examples=["li"])
    role: ConsoleRole = Field(description="What the user may do.")
    auth: Literal["none", "proxy"] = Field(description="How people log in.")
    time_zone: str = Field(description="The plant's, an IANA name.", examples=["Asia/Shanghai"])
    language: Literal["en", "zh"] = Field(description="Of the page.")


class FurnaceShape(Shape):
    """One furnace."""

    index: int = Field(description="Its number in the events of the stream.")
    id: str = Field(description="Furnace id.", examples=["demo/smelting-1/FMF-01"])
    area: str = Field(description="The level above it, by which tiles are grouped.")
    registered: bool = Field(description="It stands in the plant file.")


class FurnaceList(Shape):
    """Every furnace, in the order of the tiles."""

    furnaces: list[FurnaceShape]


class AlarmListShape(Shape):
    """The alarms that are not normal."""

    alarms: list[AlarmRecord] = Field(description="Each as on the topic.")
    link: LinkShape
    epoch: int | None = Field(description="Generation of the alarm manager; null while unknown.")


class JournalShape(Shape):
    """What has happened, newest first."""

    records: list[AlarmRecord] = Field(description="Each as on the topic.")


class ScoreTraceShape(Shape):
    """The score of one furnace over time."""

    columns: list[str] = Field(description="Names of the fields of a row.")
    rows: list[tuple[int, float | None, float | None, int]] = Field(
        description=f"end_ms ({_END_MS}), lowest and highest score (log-odds; null where nothing "
        f"was scored), status. {_FLAGS}"
    )
    history_from_ms: int | None = Field(description="From when on anything is known.")
    alarm_id: str = Field(description="The alarm whose limits these are.")
    on: float = Field(description="From this score on the alarm is raised, log-odds.")
    off: float = Field(description="Below this score it is cleared, log-odds.")


class ModelShape(Shape):
    """The ensemble that judged."""

    name: str
    version: str


class NewestShape(Shape):
    """The newest window of a furnace."""

    end_ms: int = Field(description=_END_MS)
    score: float | None = Field(description="Log-odds; null when unscored.")
    status: ScoreStatus
    flags: int = Field(description=_FLAGS)
    modalities: list[str] = Field(description="What it rests on: video, current.")
    members: list[float] | None = Field(description="Score of each model, log-odds.")
    agreement: Agreement = Field(description="What they say of the limit.")
    video_coverage: float = Field(ge=0, le=1, description="Share of the frames that were there.")
    current_coverage: float = Field(ge=0, le=1, description="The same of the current samples.")
    event_ms: dict[str, int] = Field(description="Newest event of each source, ms UTC.")
    lag_s: float = Field(description="From the window's end until its score was published.")
    reasons: list[str] = Field(description="What is wrong with the input, in words.")
    clock_reasons: list[str] = Field(description="Those of them that concern clocks.")
    has_map: bool = Field(description="An anomaly map belongs to it.")
    model: ModelShape
    sources: dict[str, str | None] = Field(description="Camera and meter.")


class CurrentTraceShape(Shape):
    """The phase currents of one furnace over time."""

    start_ms: int = Field(description="Time of the first value, ms UTC.")
    step_ms: int = Field(description="From one value to the next, ms.")
    phases: dict[Literal["a", "b", "c"], list[float | None]] = Field(
        description="Amperes; null where the meter said nothing."
    )


class FramePlaceShape(Shape):
    """Where a frame stands."""

    partition: int = Field(description="Of the topic embeddings.")
    offset: int = Field(description="In that partition.")
    at_ms: float = Field(description="When it was taken, ms UTC.")
    event_ns: str = Field(description="The same in ns, exact; which frame of its record.")
    window_end_ms: int = Field(description="The window that names it.")


class FilmShape(Shape):
    """The frames of a clip, oldest first."""

    frames: list[FramePlaceShape]


class MarkedSpotShape(Shape):
    """What of an anomaly map is 0.5 or more."""

    cells: list[tuple[int, int]] = Field(description="Row and column of each pixel.")
    share: float = Field(ge=0, le=1, description="Of the picture.")
    place: str = Field(description="Two words, e.g. lower middle; empty without a spot.")


class SpotShape(MarkedSpotShape):
    """The same, in words as well."""

    text: str = Field(description="All of it in words.")


class StripWindowShape(Shape):
    """One window of a film strip."""

    end_ms: int = Field(description=_END_MS)
    score: float | None = Field(description="Log-odds; null when unscored.")
    status: int = Field(description=_FLAGS)
    frame: FramePlaceShape | None = Field(description="Its own newest frame.")
    spot: MarkedSpotShape | None = Field(description="What its map marks; null without a map.")


class StripShape(Shape):
    """One frame a window, oldest first."""

    windows: list[StripWindowShape]


class VerdictShape(Shape):
    """What a person found out."""

    word: AlarmVerdict
    cause: str | None = Field(description="What lay behind it, if it was said.")
    by: str = Field(description="Who judged.")
    at_ms: int = Field(description="When, ms UTC.")


class OccurrenceShape(Shape):
    """One activation of a process alarm."""

    occurrence_id: str
    alarm_id: str
    furnace: str = Field(description="Furnace id.")
    title: str
    priority: Priority
    mode: Mode
    causes: list[str] = Field(description="What may lie behind it, as the alarm point says.")
    raised_ms: int = Field(description="Event time, ms UTC.")
    cleared_ms: int | None = Field(description="The same of its end; null while it stands.")
    score: float | None = Field(description="Of the window that raised it, log-odds.")
    threshold: float | None = Field(
        description="From this score on it was raised; null where no score is judged."
    )
    threshold_off: float | None = Field(description="Below this score it is cleared.")
    model: str = Field(description="Name and version of the ensemble.")
    token: str = Field(description="What a judgement of it expects: expected_event_id.")
    comment: str | None = Field(description="The last one.")
    verdict: VerdictShape | None = Field(description="The last one.")
    is_newest: bool = Field(
        description="False where its alarm was raised again since: a judgement names it as earlier."
    )


class OccurrenceListShape(Shape):
    """Activations of process alarms, newest raise first."""

    occurrences: list[OccurrenceShape]
    count: int = Field(description="Of all that are asked for, listed or not.")


class QuantilesShape(Shape):
    """Half and 95 % of some durations, s."""

    p50: float
    p95: float


class FurnaceCountsShape(Shape):
    """What topics tell of all furnaces."""

    known: int
    heard: int = Field(description="With a window that ended within 15 s.")
    by_status: dict[str, int] = Field(description="Of the heard, by status of the newest window.")
    score_lag_s: QuantilesShape | None = Field(description="Window end to published score.")


class ServiceShape(Shape):
    """What a service says of itself."""

    name: str
    address: str
    state: ReadingState
    reason: str = Field(description="Why it was not understood; empty where it was.")
    figures: dict[str, dict[str, float]] = Field(description="By name, then by label.")
    event_to_score_s: QuantilesShape | None
    records_a_second: dict[str, float] = Field(description="By topic, since the last question.")


class SystemShape(Shape):
    """The path of the data."""

    now_ms: int
    furnaces: FurnaceCountsShape
    alarm_manager: Heartbeat | None = Field(description="Its newest sign of life.")
    console: dict[str, Any] = Field(description="What this console says of itself.")
    services: list[ServiceShape] = Field(description="Those of MELTWATCH_CONSOLE_METRICS.")


class FurnaceInputsShape(Shape):
    """What the inputs of a furnace's newest window are worth."""

    id: str
    status: ScoreStatus
    video_coverage: float = Field(ge=0, le=1)
    current_coverage: float = Field(ge=0, le=1)
    end_ms: int = Field(description=_END_MS)
    video_ms: int | None = Field(description="Newest frame, ms UTC.")
    current_ms: int | None = Field(description="Newest sample, ms UTC.")
    lag_s: float = Field(description="From the window's end until its score was published.")
    skew_s: float | None = Field(description="Video minus current, where a service tells it.")


class FurnaceInputsListShape(Shape):
    """Of each furnace with a score since the start."""

    furnaces: list[FurnaceInputsShape]


class FigureShape(Shape):
    """One key figure."""

    key: str = Field(description="For programs; never changes.")
    title: str
    value: float | None
    unit: str
    target: str
    grade: Grade
    meaning: str
    text: str = Field(description="The value as people read it.")


class FrequentAlarmShape(Shape):
    """How often an alarm was announced."""

    alarm_id: str
    count: int


class AlarmFiguresShape(Shape):
    """Key figures of the alarms of 30 days at most."""

    since_ms: int | None = Field(description="From when on; null where no alarm is known.")
    until_ms: int | None
    figures: list[FigureShape]
    top: list[FrequentAlarmShape] = Field(description="The ten that are announced most.")


class CommandAnswerShape(Shape):
    """What became of a command."""

    command_id: str = Field(description="By which its result can be found on the topic.")
    result: CommandResult | None = Field(default=None, description="Of the alarm manager.")
    error: ErrorDetail | None = Field(default=None, description="Why it was not done.")
    newest: AlarmRecord | None = Field(default=None, description="The alarm as it is now.")


class EvidenceShape(BaseModel):
    """What was kept of a raise."""

    occurrence_id: str
    alarm_id: str
    furnace_id: str
    title: str
    window_end_ms: int = Field(description=_END_MS)
    frames: list[dict[str, Any]] = Field(description="Name and time (ms UTC) of each picture.")
    spot: dict[str, Any] | None = Field(description="What the map marks.")
    scores: dict[str, Any] = Field(description="rows as of /scores, on and off.")
    currents: CurrentTraceShape | None
    missing: list[str] = Field(description="What could not be had, and why.")
