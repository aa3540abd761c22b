"""The frame encoder: an orthonormal basis over 8×8×3 patches of a 64×64 RGB crop."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from meltwatch_schemas.errors import violation

SIDE: Final = 64
PATCH: Final = 8
PATCHES: Final = (SIDE // PATCH) ** 2
PATCH_VALUES: Final = PATCH * PATCH * 3
_ENCODER_ID: Final = re.compile(r"(?P<name>.+)-(?P<dims>[0-9]{1,3})-[0-9a-f]{12}")
_OPPONENT: Final = np.array(
    [
        np.array([1, 1, 1]) / np.sqrt(3),
        np.array([1, 0, -1]) / np.sqrt(2),
        np.array([1, -2, 1]) / np.sqrt(6),
    ]
)


def zigzag() -> list[tuple[int, int]]:
    """Return JPEG's zig-zag order as (vertical u, horizontal v): (0,0), (0,1), (1,0), (2,0)."""
    order: list[tuple[int, int]] = []
    for diagonal in range(2 * PATCH - 1):
        cells = [(u, diagonal - u) for u in range(PATCH) if 0 <= diagonal - u < PATCH]
        order.extend(cells if diagonal % 2 else reversed(cells))
    return order


def dct_basis(dims: int = PATCH_VALUES) -> NDArray[np.float32]:
    """Return the first rows of the opponent-colour cosine basis.

    Row ``3·z + c`` belongs to zig-zag index z and opponent channel c; the element at
    ``(y·8 + x)·3 + k`` is ``weight[c][k] · a(u) cos((2y+1)uπ/16) · a(v) cos((2x+1)vπ/16)``.

    Parameters
    ----------
    dims
        Rows to keep, 1..192.

    Returns
    -------
    Shape ``(dims, 192)``, float32, orthonormal rows.
    """
    position = np.arange(PATCH)
    amplitude = np.full(PATCH, np.sqrt(2 / PATCH))
    amplitude[0] = np.sqrt(1 / PATCH)
    cosines = amplitude.reshape(-1, 1) * np.cos(
        (2 * position + 1) * position.reshape(-1, 1) * np.pi / (2 * PATCH)
    )
    planes = [np.outer(cosines[u], cosines[v]) for u, v in zigzag()]
    rows = [(plane[:, :, None] * weight).reshape(-1) for plane in planes for weight in _OPPONENT]
    basis: NDArray[np.float32] = (np.array(rows) + 0.0).astype("<f4")
    return np.ascontiguousarray(basis[:dims])


@dataclass(frozen=True, eq=False)
class Encoder:
    """An orthonormal basis with a name: embedding = ``B · patch``, decode = ``Bᵀ · embedding``.

    Attributes
    ----------
    name
        First part of the encoder id.
    basis
        Shape ``(d, 192)``, float32.
    """

    name: str
    basis: NDArray[np.float32]

    @property
    def dims(self) -> int:
        """Length d of a patch's embedding."""
        return int(self.basis.shape[0])

    @cached_property
    def encoder_id(self) -> str:
        """``<name>-<d>-<first 12 hex of SHA-256 of B as little-endian float32>``."""
        digest = hashlib.sha256(self.basis.astype("<f4").tobytes()).hexdigest()
        return f"{self.name}-{self.dims}-{digest[:12]}"

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Return the embeddings of upright RGB frames.

        Parameters
        ----------
        frames
            Shape ``(n, 64, 64, 3)``, uint8, row, column, channel.

        Returns
        -------
        Shape ``(n, 64, d)``, float16; patches row-major.
        """
        cells = SIDE // PATCH
        blocks = frames.reshape(-1, cells, PATCH, cells, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
        patches = blocks.reshape(-1, PATCHES, PATCH_VALUES).astype(np.float32)
        return (patches @ self.basis.T).astype(np.float16)

    def decode(self, embeddings: NDArray[np.float16]) -> NDArray[np.uint8]:
        """Return frames in whole greys, exact for d = 192.

        Parameters
        ----------
        embeddings
            Shape ``(n, 64, d)``, float16.

        Returns
        -------
        Shape ``(n, 64, 64, 3)``, uint8.
        """
        cells = SIDE // PATCH
        patches = np.clip(np.rint(embeddings.astype(np.float32) @ self.basis), 0, 255)
        blocks = patches.reshape(-1, cells, cells, PATCH, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
        return np.ascontiguousarray(blocks.reshape(-1, SIDE, SIDE, 3)).astype(np.uint8)


@lru_cache(maxsize=1)
def default_encoder() -> Encoder:
    """Return ``dct-192-a375f01fafb8``, which gives pixels back exactly."""
    return Encoder("dct", dct_basis())


def dims_of(encoder_id: str) -> int:
    """Return the embedding length that an encoder id states.

    Raises
    ------
    ContractViolation
        If the id is not of the form ``<name>-<d>-<12 hex>``.
    """
    match = _ENCODER_ID.fullmatch(encoder_id)
    if match is None:
        raise violation(f"encoder_id: expected '<name>-<d>-<12 hex>', got {encoder_id[:80]!r}")
    return int(match["dims"])
