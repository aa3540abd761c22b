"""The precision in which weights are kept."""

import torch
from torch import nn


def round_weights(module: nn.Module) -> None:
    """Round every float parameter and buffer in place to half precision, kept as float32.

    What is calibrated, exported, evaluated and frozen as reference are then the same weights, and
    the files compress to little more than half.
    """
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
