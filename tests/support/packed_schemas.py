"""JSON Schemas of the msgpack messages; msgpack's binary values stand as strings of bytes.

The codecs of these messages are written by hand, and so are these; ``tests/contract/wire`` holds
one against the other.
"""

from typing import Any, Final

from meltwatch_schemas import current, embedding, portrait, score
from meltwatch_schemas.bounds import (
    MAX_FEATURE,
    MAX_ID,
    MAX_INPUTS,
    MAX_LOGIT,
    MAX_MEMBERS,
    MAX_NEWEST_FRAMES,
    MAX_OFFSET,
    MAX_PLACE,
    MAX_SURPRISE,
    MAX_WHOLE,
    MAX_WORD,
    MAX_WORDS,
)  # fmt: skip
from meltwatch_schemas.chunk import MAX_COUNT, SyncSource
from meltwatch_schemas.encoder import PATCH_VALUES, PATCHES
from meltwatch_schemas.json_message import FURNACE_ID_SCHEMA
from meltwatch_schemas.score import Modality, ScoreStatus
from meltwatch_schemas.score_topics import MAX_TOPIC_ID, GapCause

Schema = dict[str, Any]
INT64: Final = 2**63 - 1


def _object(
    description: str, required: dict[str, Schema], optional: dict[str, Schema] | None = None
) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": required | (optional or {}),
        "required": list(required),
    }


def _text(description: str, **rules: Any) -> Schema:
    return {"type": "string", "description": description, **rules}


def _whole(description: str, minimum: int = 0, maximum: int = INT64) -> Schema:
    return {
        "type": "integer",
        "description": description,
        "minimum": minimum,
        "maximum": maximum,
    }


def _name(description: str) -> Schema:
    return _text(f"{description} Printable.", minLength=1, maxLength=MAX_ID)


def _real(description: str, most: float, least: float | None = None) -> Schema:
    lowest = -most if least is None else least
    return {"type": "number", "description": description, "minimum": lowest, "maximum": most}


def _share(description: str) -> Schema:
    return _real(description, 1, 0)


def _words(description: str, **rules: Any) -> Schema:
    return {
        "type": "array",
        "description": description,
        "maxItems": MAX_WORDS,
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_WORD, **rules},
    }


def _array(dtype: str, shape: str, what: str) -> Schema:
    return _text(f"{what}: {dtype} {shape}, little-endian, C order.", format="binary")


def _reals(description: str, most: float, least_items: int, most_items: int) -> Schema:
    return {
        "type": "array",
        "description": description,
        "minItems": least_items,
        "maxItems": most_items,
        "items": {"type": "number", "minimum": -most, "maximum": most},
    }


def _or_nil(schema: Schema) -> Schema:
    """Allow nil, which msgpack has for None."""
    return schema | {"type": [schema["type"], "null"]}


_WHEN_UNSCORED: Final = "nil when unscored."
_SYNC: Final = _object(
    "Quality of the producer's clock.",
    {
        "source": _text("Where it gets its time from.", enum=[word.value for word in SyncSource]),
        "max_error_ns": _whole("Bound of its offset from UTC, ns."),
    },
)
_RUN_ID: Final = _name("Present only in replays.")
_IDENTITY: Final = {
    "furnace_id": FURNACE_ID_SCHEMA
    | {"description": "Path of ISA-95 levels; also the record's key."},
    "source_id": _name("The camera or meter."),
    "boot_id": _text("New at each start of the producer.", pattern="^[0-9a-f]{16}$"),
    "seq": _whole("Number of the first item; +1 per item of a source and boot.", 0, MAX_WHOLE),
    "ingest_time_ns": _whole("Wall clock at sending, ns UTC."),
    "count": _whole("Number n of items, spanning at most 2 s.", 1, MAX_COUNT),
}
_OPTIONAL: Final = {"sync": _SYNC, "run_id": _RUN_ID}

EMBEDDING: Final = _object(
    "One or more embedded frames of one camera.",
    _IDENTITY
    | {
        "event_times_ns": _array("int64", "[n]", "Mid-exposure, ns UTC, strictly increasing"),
        "encoder_id": _name("The basis, <name>-<d>-<12 hex>."),
        "patches": {"const": PATCHES, "description": "Patches of a frame, 8 × 8."},
        "dims": _whole("Values d of a patch.", 1, PATCH_VALUES),
        "data": _array("float16", f"[n, {PATCHES}, d]", "Embeddings, finite"),
    },
    _OPTIONAL,
)

CURRENT: Final = _object(
    "One or more samples of the three phase currents.",
    _IDENTITY
    | {
        "event_time_ns": _whole("Of the first sample, ns UTC."),
        "period_ns": _whole("From one sample to the next, ns.", 1, MAX_WHOLE),
        "data": _array(
            "float32",
            "[n, 3]",
            "Amperes, at most 1e9 either way, phases a b c; NaN where one is not known",
        ),
    },
    _OPTIONAL,
)

_PHASES: Final = "per phase over the look-back, amperes; nil without current."
_FEATURES: Final = _object(
    "Plain numbers beside the verdict.",
    {
        "current_mean_a": _or_nil(_reals(f"Mean {_PHASES}", MAX_FEATURE, 3, 3)),
        "current_std_a": _or_nil(_reals(f"Standard deviation {_PHASES}", MAX_FEATURE, 3, 3)),
        "imbalance": _or_nil(
            _real(
                "Largest deviation of a phase's mean, as a share of their mean; nil without.",
                MAX_FEATURE,
            )
        ),
        "video_mean": _or_nil(
            _real("Mean grey of the newest frame, 0..255; nil without video.", MAX_FEATURE)
        ),
        "video_motion": _or_nil(
            _real("Mean change from slot to slot, greys; nil without video.", MAX_FEATURE)
        ),
    },
)
_TIMES: Final = _object(
    "When the window went through the house, ns UTC.",
    {
        "last_event_ns": _whole("Newest event at or before its end."),
        "last_ingest_ns": _whole("Newest ingest time of the furnace."),
        "joined_ns": _whole("Wall clock of the join."),
        "scored_ns": _or_nil(_whole(f"Wall clock of the verdict; {_WHEN_UNSCORED}")),
        "published_ns": _whole("Wall clock of publishing."),
    },
)
_SOURCE_STATE: Final = _object(
    "What the quality of windows to come rests on.",
    {
        "proven": {"type": "boolean", "description": "It has shown a whole window of live data."},
        "boot_id": _text("Of its newest record.", pattern="^[0-9a-f]{16}$"),
        "seq": _whole("Of its newest record.", 0, MAX_WHOLE),
        "event_ns": _whole("Of its newest record, ns UTC."),
        "ingest_ns": _whole("Of its newest record, ns UTC."),
        "standing_since_ns": _whole("Ingest time of the first record with this event time."),
        "stepped_from_ns": _or_nil(_whole("Newest event time before its clock stepped; or nil.")),
    },
    {"begun_ns": _whole("First event time after it began or was silent for long.")},
)
_INPUTS: Final = {
    "type": "object",
    "description": "Per input topic: partition, first offset needed, last offset handed on.",
    "maxProperties": MAX_INPUTS,
    "additionalProperties": {
        "type": "array",
        "items": {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_OFFSET},
        "minItems": 3,
        "maxItems": 3,
    },
}

_TOPIC_IDS: Final = {
    "type": "object",
    "description": "Per input topic, the id that Kafka gave the topic of the cut.",
    "maxProperties": MAX_INPUTS,
    "additionalProperties": {"type": "string", "minLength": 1, "maxLength": MAX_TOPIC_ID},
}
_GAPS: Final = {
    "type": "object",
    "description": "Per input topic, what was passed over unread before this window: why "
    f"({', '.join(GapCause)}) and how many offsets, or nil.",
    "maxProperties": MAX_INPUTS,
    "additionalProperties": {
        "type": "array",
        "items": {
            "type": ["string", "integer", "null"],
            "minLength": 1,
            "maxLength": MAX_WORD,
            "minimum": 0,
            "maximum": MAX_OFFSET,
        },
        "minItems": 2,
        "maxItems": 2,
    },
}
_FRAMES: Final = {
    "type": "array",
    "description": "From 1.1: offset (in the partition of the video's input) and event time, "
    "ns UTC, of the newest frames, at most those of one hop, oldest first.",
    "maxItems": MAX_NEWEST_FRAMES,
    "items": {
        "type": "array",
        "items": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET},
        "minItems": 2,
        "maxItems": 2,
    },
}
_SURPRISE: Final = (
    "-log10 of the share of normal windows that are as unlike; nil where it could not be judged."
)


def _followed(places: int) -> Schema:
    return _object(
        "What was followed so far.",
        {
            "judged_ns": _whole("End of the window up to which it was followed, ns UTC."),
            "levels": _array("float16", f"[{places}]", "Level of each place, finite"),
        },
    )


_NOVELTY: Final = _object(
    "From 1.1: how unlike its portrait the furnace is, as of its newest judged window.",
    {
        "portrait": _text("Id of the portrait.", pattern="^[0-9a-f]{64}$"),
        "video": _or_nil(_real(f"Of the picture: {_SURPRISE}", MAX_SURPRISE, 0)),
        "current": _or_nil(_real(f"Of the currents: {_SURPRISE}", MAX_SURPRISE, 0)),
        "peak": _or_nil(
            {
                "type": "array",
                "description": "Row and column of the most unlike patch; nil without video.",
                "items": {"type": "integer", "minimum": 0, "maximum": MAX_PLACE},
                "minItems": 2,
                "maxItems": 2,
            }
        ),
        "followed": {
            "type": "object",
            "description": "Per modality, levels from which the next window goes on.",
            "properties": {"video": _followed(PATCHES), "current": _followed(1)},
        },
        "unusual": _text(
            "The newest 89 judged windows as bits, the newest lowest: 12 bytes, little-endian.",
            format="binary",
        ),
    },
)

SCORE: Final = _object(
    "The verdict on one window.",
    {
        "furnace_id": _IDENTITY["furnace_id"],
        "window_end_ns": _whole("End of the window, ns UTC."),
        "window_id": _text(
            "First 16 bytes of SHA-256 of furnace_id|window_end_ns|spec_id.",
            pattern="^[0-9a-f]{32}$",
        ),
        "spec_id": _text("Of the window spec.", pattern="^[0-9a-f]{12}$"),
        "status": _text(
            "scored on both modalities, degraded on one; unscored: neither, or scoring failed.",
            enum=[word.value for word in ScoreStatus],
        ),
        "modalities": _words("Those available.", enum=[word.value for word in Modality]),
        "video_coverage": _share("Filled slots of the clip."),
        "current_coverage": _share("Present values of the look-back."),
        "logit": _or_nil(_real(f"Calibrated, fused; {_WHEN_UNSCORED}", MAX_LOGIT)),
        "probability": _or_nil(_share(f"Logistic of the logit; {_WHEN_UNSCORED}")),
        "member_logits": _or_nil(
            _reals(f"One a member; {_WHEN_UNSCORED}", MAX_LOGIT, 1, MAX_MEMBERS)
        ),
        "disagreement": _or_nil(_real(f"Their standard deviation; {_WHEN_UNSCORED}", MAX_LOGIT, 0)),
        "anomaly_map": _or_nil(_array("uint8", "[64, 64]", "Where; nil at low probability")),
        "features": _FEATURES,
        "model": _object(
            "The ensemble.",
            {
                "name": _name("Its name."),
                "version": _name("Its version."),
                "digest": _name("SHA-256 over its members' files."),
            },
        ),
        "encoder_id": _or_nil(_name("The basis; nil without video.")),
        "sources": _object(
            "The source that the furnace has, also while it is unavailable.",
            {
                "video": _or_nil(_name("Camera, or nil.")),
                "current": _or_nil(_name("Meter, or nil.")),
            },
        ),
        "reasons": _words("Why the verdict is less than whole."),
        "times": _TIMES,
        "inputs": _INPUTS,
    },
    {
        "source_states": {
            "type": "object",
            "description": "Per modality with a source.",
            "additionalProperties": _SOURCE_STATE,
        },
        "unregistered": {"type": "boolean", "description": "The furnace is in no plant file."},
        "run_id": _RUN_ID,
        "topic_ids": _TOPIC_IDS,
        "gaps": _GAPS,
        "frames": _FRAMES,
        "novelty": _NOVELTY,
    },
)


def _side(modality: Modality) -> Schema:
    places, numbers = portrait.SHAPES[modality]
    triangle = numbers * (numbers + 1) // 2
    mode = _object(
        "One law of normal operation.",
        {
            "mean": _array("float32", f"[{places}, {numbers}]", "Means"),
            "exponents": _array("int16", f"[{places}]", "Powers of two of the factors, -40..40"),
            "factor": _array(
                "float16",
                f"[{places}, {triangle}]",
                "Lower triangles, row by row, of the Cholesky factors of the inverse covariances",
            ),
        },
    )
    return _object(
        f"What the {modality.value} is compared with.",
        {
            "modes": {
                "type": "array",
                "description": "Laws of which a place need obey one.",
                "items": mode,
                "minItems": 1,
                "maxItems": portrait.MAX_MODES,
            },
            "median": _array(
                "float32", f"[{places}]", "Usual level of each place, at most 1000 either way"
            ),
            "rise_per_s": _real("How fast a followed level may rise.", portrait.MAX_NUMBER, 0),
            "reached": _array(
                "float32",
                f"[m], m at most {portrait.MAX_REACHED}",
                "Raw novelties of held-out windows, ascending, up to the tail",
            ),
            "tail": _object(
                "Generalised Pareto tail.",
                {
                    "level": _real("Where it begins.", portrait.MAX_LEVEL),
                    "shape": _real("Of its excesses.", portrait.MAX_SHAPE, 0),
                    "scale": _real("Of its excesses.", portrait.MAX_NUMBER, portrait.LEAST_SCALE),
                    "rate": _share("Share of the windows above its level."),
                },
            ),
        },
    )


PORTRAIT: Final = _object(
    "What a furnace's own normal operation looks like; at most 128 KiB.",
    {
        "furnace_id": _IDENTITY["furnace_id"],
        "encoder_id": _name("The basis of the embeddings that it was made of."),
        "spec_id": _text("Of the windows that it was made of.", pattern="^[0-9a-f]{12}$"),
        "made_at_ns": _whole("When it was made, ns UTC."),
        "from_ns": _whole("Where its span begins, ns UTC."),
        "until_ns": _whole("Where its span ends, ns UTC."),
        "windows": _whole("How many it was made of.", 1, MAX_WHOLE),
        "left_out": {
            "type": "object",
            "description": "By reason, how many windows of the span were not used.",
            "maxProperties": portrait.MAX_REASONS,
            "additionalProperties": {"type": "integer", "minimum": 0, "maximum": MAX_WHOLE},
        },
    },
    {modality.value: _side(modality) for modality in portrait.SHAPES},
)

PACKED: Final[dict[str, Schema]] = {
    embedding.SCHEMA: EMBEDDING,
    current.SCHEMA: CURRENT,
    score.SCHEMA: SCORE,
    portrait.SCHEMA: PORTRAIT,
}
"""By the value of the ``schema`` header."""
