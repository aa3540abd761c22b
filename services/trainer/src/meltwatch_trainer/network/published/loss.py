"""The paper's joint loss over both heads."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from meltwatch_trainer.network.published.fmformer import FmFormerOutput


def joint_loss(output: FmFormerOutput, label: Tensor, mask: Tensor, alpha: float = 1.0) -> Tensor:
    """Return ``L_pix + alpha * L_cls``, both cross-entropy; a head that is absent adds nothing.

    Parameters
    ----------
    label
        Shape ``(b,)``, int64: 1 where the newest frame is abnormal.
    mask
        Shape ``(b, 64, 64)``, int64, of the newest frame, column before row as the clip.
    alpha
        Weight of the class loss; the paper's value is not public.
    """
    loss = torch.zeros((), device=label.device)
    if output.map_logits is not None:
        loss = loss + cross_entropy(output.map_logits, mask)
    if output.logits is not None:
        loss = loss + alpha * cross_entropy(output.logits, label)
    return loss
