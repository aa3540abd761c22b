"""Numbers from Modbus registers, in each order of bytes that meters know."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meltwatch_schemas.current import PHASES


class RegisterType(StrEnum):
    """How a meter writes a number."""

    FLOAT32 = "float32"
    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"


class ByteOrder(StrEnum):
    """In which order it sends the bytes of a number, ``a`` being the most significant."""

    ABCD = "abcd"
    CDAB = "cdab"
    BADC = "badc"
    DCBA = "dcba"


_FORMATS: Final = {
    RegisterType.FLOAT32: ">f",
    RegisterType.INT16: ">h",
    RegisterType.UINT16: ">H",
    RegisterType.INT32: ">i",
    RegisterType.UINT32: ">I",
}
_NOT_MEASURED: Final = {
    RegisterType.INT16: -0x8000,
    RegisterType.UINT16: 0xFFFF,
    RegisterType.INT32: -0x8000_0000,
    RegisterType.UINT32: 0xFFFF_FFFF,
}
"""What meters write where there is no value: a whole number has no NaN."""


def words_of(kind: RegisterType) -> int:
    """Return how many registers a number takes."""
    return struct.calcsize(_FORMATS[kind]) // 2


def numbers_of(
    words: Sequence[int], kind: RegisterType, order: ByteOrder = ByteOrder.ABCD
) -> list[float]:
    """Return the numbers that registers hold; NaN where the meter says that there is none.

    Parameters
    ----------
    words
        Registers, 0..65535, a whole number of numbers.
    kind
        How they are written.
    order
        Of the bytes. Of one register alone, ``badc`` and ``dcba`` swap its two bytes.
    """
    width = words_of(kind)
    return [
        _number(words[first : first + width], kind, order) for first in range(0, len(words), width)
    ]


def _number(words: Sequence[int], kind: RegisterType, order: ByteOrder) -> float:
    if order in {ByteOrder.CDAB, ByteOrder.DCBA}:
        words = words[::-1]
    each: Final = "<H" if order in {ByteOrder.BADC, ByteOrder.DCBA} else ">H"
    (number,) = struct.unpack(_FORMATS[kind], b"".join(struct.pack(each, word) for word in words))
    return math.nan if number == _NOT_MEASURED.get(kind) else float(number)


@dataclass(frozen=True, slots=True)
class RegisterBlock:
    """Where the three numbers of a meter stand, one behind the other.

    Attributes
    ----------
    first
        Address of the first register, from 0 as on the wire.
    kind
        How numbers are written.
    order
        Of their bytes.
    is_input
        They are input registers, else holding registers.
    """

    first: int
    kind: RegisterType = RegisterType.FLOAT32
    order: ByteOrder = ByteOrder.ABCD
    is_input: bool = False

    @property
    def count(self) -> int:
        """How many registers that are."""
        return PHASES * words_of(self.kind)

    def numbers(self, words: Sequence[int]) -> list[float]:
        """Return the three numbers that the registers hold."""
        return numbers_of(words, self.kind, self.order)
