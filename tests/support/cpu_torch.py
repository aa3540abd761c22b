"""Lets PyTorch of the package index run on a processor, without 4 GB of CUDA libraries.

Its Linux build asks the loader for them by name, and calls none of them as long as no tensor is on
a GPU. So each name gets a library without content, and what it would have held is looked up when it
is first called: never. Run it by the Python of the environment that it is for; see ``make
test-trainer``.
"""

import struct
import sysconfig
from pathlib import Path
from typing import Final

NAMES: Final = (
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcudnn.so.9",
    "libcufft.so.12",
    "libcufile.so.0",
    "libcupti.so.13",
    "libcusparse.so.12",
    "libcusparseLt.so.0",
    "libnccl.so.2",
    "libnvrtc.so.13",
)
_SHARED, _X86_64, _PAGE = 3, 62, 4096
_HEADER, _SEGMENT, _SYMBOL, _TAG = 64, 56, 24, 16
_SONAME, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SYMENT, _END = 14, 4, 5, 6, 10, 11, 0


def empty_library(name: str) -> bytes:
    """Return an ELF library of that name that defines nothing."""
    strings = b"\0" + name.encode() + b"\0"
    symbols = _HEADER + 2 * _SEGMENT
    hashes = symbols + _SYMBOL
    tags_at = hashes + _TAG
    texts = tags_at + 7 * _TAG
    tags = {
        _SONAME: 1,
        _HASH: hashes,
        _STRTAB: texts,
        _SYMTAB: symbols,
        _STRSZ: len(strings),
        _SYMENT: _SYMBOL,
        _END: 0,
    }
    size = texts + len(strings)
    return b"".join(
        (
            struct.pack("<4s4B8x", b"\x7fELF", 2, 1, 1, 0),
            struct.pack("<HHIQQQI", _SHARED, _X86_64, 1, 0, _HEADER, 0, 0),
            struct.pack("<HHHHHH", _HEADER, _SEGMENT, 2, _HEADER, 0, 0),
            struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, size, size, _PAGE),
            struct.pack("<IIQQQQQQ", 2, 6, tags_at, tags_at, tags_at, 7 * _TAG, 7 * _TAG, 8),
            bytes(_SYMBOL),
            struct.pack("<4I", 1, 1, 0, 0),
            *(struct.pack("<qQ", tag, value) for tag, value in tags.items()),
            strings,
        )
    )


def main() -> None:
    """Write the libraries where PyTorch looks, and have Python bind names when they are called."""
    packages = Path(sysconfig.get_paths()["purelib"])
    for name in NAMES:
        (packages / "nvidia" / "cu13" / "lib" / name).write_bytes(empty_library(name))
    lazy = "import os, sys; sys.setdlopenflags(os.RTLD_LAZY)\n"
    (packages / "bind_lazily.pth").write_text(lazy)


if __name__ == "__main__":
    main()
