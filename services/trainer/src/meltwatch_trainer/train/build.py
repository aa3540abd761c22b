"""From a model of the study to its network."""

import torch
from torch import nn

from meltwatch_trainer.network.member import Member
from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.network.published.fmformer import build_fmformer
from meltwatch_trainer.network.published.served import ServedFmFormer
from meltwatch_trainer.network.weights_file import read_weights
from meltwatch_trainer.train.study import StudyModel


def build(model: StudyModel) -> nn.Module:
    """Return a model's network with fresh weights from its seed, or with those it begins from.

    Returns
    -------
    Takes clip, currents and availability, gives log-odds ``(b, 1)`` and map log-odds
    ``(b, 64, 64)``, as ``Member`` and ``ServedFmFormer`` say.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(model.plan.seed)
        if isinstance(model.spec, MemberSpec):
            network: nn.Module = Member(model.spec)
        else:
            network = ServedFmFormer(build_fmformer(model.spec))
    if model.begin is not None:
        network.load_state_dict(read_weights(model.begin))
    return network
