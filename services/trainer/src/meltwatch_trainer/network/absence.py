"""How the networks ignore a modality that is not there."""

import torch
from torch import Tensor

PRESENT = 0.5
"""A modality is there where its availability is at least this."""


def modalities_there(available: Tensor) -> tuple[Tensor, Tensor]:
    """Say where video and currents are there: two of shape ``(b, 1)``, bool, of ``(b, 2)``."""
    return available[:, :1] >= PRESENT, available[:, 1:] >= PRESENT


def or_zeros(there: Tensor, values: Tensor) -> Tensor:
    """Return the values where they are there, zeros elsewhere; what is absent may be NaN.

    Parameters
    ----------
    there
        Shape ``(b, 1)``, bool.
    values
        Shape ``(b, …)``.
    """
    there = there.reshape(-1, *(1 for _ in values.shape[1:]))
    return torch.where(there, values, torch.zeros_like(values))
