"""What a codec has packed is unpacked up to the bound, whatever it says of itself."""

import gzip
import struct
from contextlib import suppress

import cramjam
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from lz4 import frame
from meltwatch_chassis.kafka.unpacking import MOST_BYTES, unpack
from meltwatch_schemas.errors import ContractViolation

from tests.support.foreign_batches import CODECS, packed, plain, records_of

XERIAL = b"\x82SNAPPY\x00" + struct.pack("!ii", 1, 1)


def reason(codec: str, content: bytes) -> str:
    with pytest.raises(ContractViolation) as caught:
        unpack(CODECS[codec], memoryview(content))
    assert len(caught.value.detail) <= 300
    return str(caught.value.reason)


@pytest.mark.parametrize("codec", CODECS)
@given(st.lists(st.binary(max_size=5000), max_size=20))
def test_what_is_packed_comes_out(codec: str, values: list[bytes]) -> None:
    batch = plain(values or [b""])
    for xerial in (True, False):
        content = records_of(packed(batch, codec, xerial=xerial))
        assert unpack(CODECS[codec], memoryview(content)) == records_of(batch)


def snappy(data: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(data))


def blocks(data: bytes) -> bytes:
    half = len(data) // 2
    packed_blocks = [snappy(data[:half]), snappy(data[half:])]
    return XERIAL + b"".join(struct.pack("!i", len(block)) + block for block in packed_blocks)


PACKED = {
    "gzip": gzip.compress,
    "gzip in two members": lambda data: gzip.compress(data[:-9]) + gzip.compress(data[-9:]),
    "snappy": snappy,
    "snappy of Java": blocks,
    "lz4": frame.compress,
    "lz4 that names its size": lambda data: frame.compress(data, store_size=True),
    "lz4 in linked blocks": lambda data: frame.compress(data, block_linked=True),
    "zstd": zstandard.compress,
    "zstd that names no size": lambda data: zstandard.ZstdCompressor(
        write_content_size=False
    ).compress(data),
    "zstd in two frames": lambda data: (
        zstandard.compress(data[:-9]) + zstandard.compress(data[-9:])
    ),
}


@pytest.mark.parametrize("form", PACKED)
def test_the_bound_is_exact(form: str) -> None:
    codec, make = form.split(maxsplit=1)[0], PACKED[form]
    assert len(unpack(CODECS[codec], memoryview(make(bytes(MOST_BYTES))))) == MOST_BYTES
    assert reason(codec, make(bytes(MOST_BYTES + 1))) == "too_large"


ZSTD = b"\x28\xb5\x2f\xfd"
LIES = {
    "snappy that claims 4 GiB": ("snappy", b"\xff\xff\xff\xff\x0f" + snappy(b"x" * 99)[1:]),
    "snappy block that claims 4 GiB": (
        "snappy",
        XERIAL + struct.pack("!i", 9) + b"\xff\xff\xff\xff\x0f" + bytes(4),
    ),
    "snappy block of negative length": ("snappy", XERIAL + b"\xff\xff\xff\xff" + snappy(b"x")),
    "snappy of nothing but lengths": ("snappy", XERIAL + bytes(4000)),
    "zstd that claims 16 EiB": ("zstd", ZSTD + b"\xe0" + b"\xff" * 8 + b"\x01\x00\x00"),
    "zstd with a window of 2 GiB": ("zstd", ZSTD + b"\x00\xa8" + b"\x01\x00\x00"),
    "lz4 that claims 1 TiB": (
        "lz4",
        frame.compress(bytes(100), store_size=True)[:6] + struct.pack("<Q", 2**40) + bytes(20),
    ),
    "gzip that claims 4 GiB": ("gzip", gzip.compress(b"x" * 99)[:-4] + b"\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("name", LIES)
def test_what_lies_about_its_size_is_refused(name: str) -> None:
    assert reason(*LIES[name]) in {"too_large", "malformed"}


@pytest.mark.parametrize("codec", CODECS)
@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(codec: str, content: bytes) -> None:
    for given_bytes in (content, XERIAL + content, ZSTD + content, b"\x1f\x8b\x08" + content):
        with suppress(ContractViolation):
            assert len(unpack(CODECS[codec], memoryview(given_bytes))) <= MOST_BYTES


def test_a_codec_that_there_is_not_is_refused() -> None:
    with pytest.raises(ContractViolation, match=r"codec of 1\.\.4, got 7"):
        unpack(7, memoryview(b"x"))
