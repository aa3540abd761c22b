"""``Portrait``: what a furnace's own normal operation looks like (``portrait/1.x``)."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meltwatch_schemas.bounds import (
    MAX_WHOLE,
    MAX_WORD,
    check_most,
    check_real,
    check_text,
    check_whole,
)
from meltwatch_schemas.chunk import Modality, accept_any_envelope
from meltwatch_schemas.codec import Fields, array_from, bytes_of, check_time, pack, unpack
from meltwatch_schemas.encoder import PATCHES
from meltwatch_schemas.errors import ContractViolation, Refusal, violation
from meltwatch_schemas.identifiers import check_furnace_id

SCHEMA: Final = "portrait/1.0"
MAX_BYTES: Final = 128 * 1024
SHAPES: Final = {Modality.VIDEO: (PATCHES, 27), Modality.CURRENT: (1, 40)}
"""Places of each modality, and numbers of a place."""
MAX_MODES: Final = 4
MAX_REACHED: Final = 512
MAX_EXPONENT: Final = 40
MAX_NUMBER: Final = 1e6
MAX_LEVEL: Final = 1e3
"""Logarithms of distances: far beyond any, and still a number in the 16 bits of a score."""
MAX_SHAPE: Final = 100.0
LEAST_SCALE: Final = 1e-9
MAX_REASONS: Final = 16
_ID: Final = re.compile(r"[0-9a-f]{64}")
_SPEC_ID: Final = re.compile(r"[0-9a-f]{12}")


class PackedMode(NamedTuple):
    """One law of normal operation, of ``p`` places with ``k`` numbers each.

    Attributes
    ----------
    mean
        Shape ``(p, k)``, float32.
    exponents
        Shape ``(p,)``, int16: the factor of each place is ``2 ** exponent`` times what stands.
    factor
        Shape ``(p, k (k + 1) / 2)``, float16: lower triangles, row by row, of the Cholesky factors
        of the inverse covariances.
    """

    mean: NDArray[np.float32]
    exponents: NDArray[np.int16]
    factor: NDArray[np.float16]


class PackedTail(NamedTuple):
    """A generalised Pareto tail: above ``level`` lies the share ``rate`` of the windows."""

    level: float
    shape: float
    scale: float
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class PackedSide:
    """What one modality of a furnace is compared with.

    Attributes
    ----------
    modes
        One to four laws.
    median
        Shape ``(p,)``, float32: the usual level of each place, from which following begins.
    rise_per_s
        How fast a followed level may rise.
    reached
        Shape ``(m,)``, float32, ascending, at most 512: raw novelties of held-out windows, up to
        where the tail begins.
    tail
        What lies beyond.
    """

    modes: tuple[PackedMode, ...]
    median: NDArray[np.float32]
    rise_per_s: float
    reached: NDArray[np.float32]
    tail: PackedTail


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Portrait:
    """A portrait of one furnace.

    Attributes
    ----------
    furnace_id
        Whose.
    encoder_id, spec_id
        Embeddings and windows that it was made of: it says nothing about others.
    made_at_ns, from_ns, until_ns
        When it was made, and of which span; ns UTC.
    windows
        How many it was made of.
    left_out
        By reason, how many windows of the span were not used.
    sides
        By modality. One that is absent is not judged.
    """

    furnace_id: str
    encoder_id: str
    spec_id: str
    made_at_ns: int
    from_ns: int
    until_ns: int
    windows: int
    left_out: Mapping[str, int]
    sides: Mapping[Modality, PackedSide]


def portrait_id(value: bytes) -> str:
    """Return the id of a portrait: SHA-256 of its record value, 64 hexadecimal digits."""
    return hashlib.sha256(value).hexdigest()


def check_portrait_id(name: str, text: str) -> None:
    """Refuse what is no id of a portrait.

    Raises
    ------
    ContractViolation
        ``contract_violation``.
    """
    if not _ID.fullmatch(text):
        raise violation(f"{name}: expected 64 hexadecimal digits, got {text[:80]!r}")


def encode_portrait(portrait: Portrait) -> bytes:
    """Return the record value of a portrait.

    Raises
    ------
    ContractViolation
        ``too_large`` if it exceeds 128 KiB.
    """
    value = pack(
        {
            "furnace_id": portrait.furnace_id,
            "encoder_id": portrait.encoder_id,
            "spec_id": portrait.spec_id,
            "made_at_ns": portrait.made_at_ns,
            "from_ns": portrait.from_ns,
            "until_ns": portrait.until_ns,
            "windows": portrait.windows,
            "left_out": dict(portrait.left_out),
            **{modality.value: _side_message(side) for modality, side in portrait.sides.items()},
        }
    )
    _check_size(value)
    return value


def decode_portrait(
    value: bytes, check_envelope: Callable[[str], None] = accept_any_envelope
) -> Portrait:
    """Return the portrait of a record value; arrays are views of it, not copies.

    Parameters
    ----------
    value
        msgpack bytes.
    check_envelope
        Called with the furnace id among the contract checks: key and headers must fit it.

    Raises
    ------
    ContractViolation
        ``too_large``, ``malformed``, ``contract_violation`` or ``non_finite``, the first that
        applies.
    """
    _check_size(value)
    fields = unpack(value)
    left_out = fields.map("left_out")
    packed = {m: fields.optional_map(m.value) for m in SHAPES}
    portrait = Portrait(
        furnace_id=fields.text("furnace_id"),
        encoder_id=fields.text("encoder_id"),
        spec_id=fields.text("spec_id"),
        made_at_ns=fields.integer("made_at_ns"),
        from_ns=fields.integer("from_ns"),
        until_ns=fields.integer("until_ns"),
        windows=fields.integer("windows"),
        left_out={reason: left_out.integer(reason) for reason in left_out.keys()},  # noqa: SIM118 - no mapping
        sides={m: _read_side(m, side) for m, side in packed.items() if side is not None},
    )
    check_envelope(check_furnace_id(portrait.furnace_id))
    _check(portrait)
    return portrait


def _side_message(side: PackedSide) -> dict[str, Any]:
    return {
        "modes": [
            {
                "mean": bytes_of(mode.mean, "<f4"),
                "exponents": bytes_of(mode.exponents, "<i2"),
                "factor": bytes_of(mode.factor, "<f2"),
            }
            for mode in side.modes
        ],
        "median": bytes_of(side.median, "<f4"),
        "rise_per_s": side.rise_per_s,
        "reached": bytes_of(side.reached, "<f4"),
        "tail": side.tail._asdict(),
    }


def _read_side(modality: Modality, fields: Fields) -> PackedSide:
    places, _ = SHAPES[modality]
    modes, tail = fields.list("modes"), fields.map("tail")
    reached = fields.binary("reached")
    return PackedSide(
        modes=tuple(_read_mode(modality, Fields.of(mode, "modes")) for mode in modes),
        median=array_from("median", fields.binary("median"), "<f4", (places,)),
        rise_per_s=fields.number("rise_per_s"),
        reached=array_from("reached", reached, "<f4", (len(reached) // 4,)),
        tail=PackedTail(*(tail.number(name) for name in PackedTail._fields)),
    )


def _read_mode(modality: Modality, fields: Fields) -> PackedMode:
    places, numbers = SHAPES[modality]
    triangle = numbers * (numbers + 1) // 2
    return PackedMode(
        array_from("mean", fields.binary("mean"), "<f4", (places, numbers)),
        array_from("exponents", fields.binary("exponents"), "<i2", (places,)),
        array_from("factor", fields.binary("factor"), "<f2", (places, triangle)),
    )


def _check_size(value: bytes) -> None:
    if len(value) > MAX_BYTES:
        raise ContractViolation(
            Refusal.TOO_LARGE, f"expected at most {MAX_BYTES} bytes, got {len(value)}"
        )


def _check(portrait: Portrait) -> None:
    check_text("encoder_id", portrait.encoder_id)
    if not _SPEC_ID.fullmatch(portrait.spec_id):
        raise violation(f"spec_id: expected {_SPEC_ID.pattern}, got {portrait.spec_id[:80]!r}")
    for name in ("made_at_ns", "from_ns", "until_ns"):
        check_time(name, getattr(portrait, name))
    if portrait.from_ns >= portrait.until_ns:
        raise violation("until_ns: expected a time after from_ns")
    check_whole("windows", portrait.windows, MAX_WHOLE, 1)
    check_most("left_out", len(portrait.left_out), MAX_REASONS)
    for reason, count in portrait.left_out.items():
        check_text("left_out", reason, MAX_WORD)
        check_whole(f"left_out.{reason}", count, MAX_WHOLE)
    for modality, side in portrait.sides.items():
        _check_side(modality.value, side)


def _check_side(name: str, side: PackedSide) -> None:
    check_whole(f"{name}.modes: number", len(side.modes), MAX_MODES, 1)
    for mode in side.modes:
        _check_finite(f"{name}.mean", mode.mean)
        _check_finite(f"{name}.factor", mode.factor)
        if np.abs(mode.exponents.astype(np.int64)).max() > MAX_EXPONENT:
            raise violation(f"{name}.exponents: expected at most {MAX_EXPONENT} each")
    _check_finite(f"{name}.median", side.median, MAX_LEVEL)
    check_whole(f"{name}.reached: number", len(side.reached), MAX_REACHED, 1)
    _check_finite(f"{name}.reached", side.reached, MAX_LEVEL)
    if (np.diff(side.reached) < 0).any():
        raise violation(f"{name}.reached: expected ascending values")
    check_real(f"{name}.rise_per_s", side.rise_per_s, MAX_NUMBER, 0.0)
    tail = side.tail
    check_real(f"{name}.tail.level", tail.level, MAX_LEVEL)
    check_real(f"{name}.tail.shape", tail.shape, MAX_SHAPE, 0.0)
    check_real(f"{name}.tail.scale", tail.scale, MAX_NUMBER, LEAST_SCALE)
    check_real(f"{name}.tail.rate", tail.rate, 1.0, 0.0)


def _check_finite(name: str, values: NDArray[Any], most: float = MAX_NUMBER) -> None:
    # float16 and float32 alike: what is larger than the bound is refused, what is no number too.
    largest = float(np.abs(values.astype(np.float64)).max()) if values.size else 0.0
    check_real(name, largest, most)
