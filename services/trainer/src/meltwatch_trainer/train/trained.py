"""Networks at the end of their training, with the very weights that are exported."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from meltwatch_trainer.errors import UnfinishedTrainingError
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import SHIPPED, STUDY, StudyModel


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A network that has learned.

    Attributes
    ----------
    name
        As in the study.
    network
        Clip, currents, available in; log-odds ``(b, 1)`` and map log-odds ``(b, 64, 64)`` out.
    modality
        What it reads: ``both``, ``video`` or ``current``.
    digest
        SHA-256 of its file of weights.
    states
        The states of availability to ask it in: what is not served meets no lost modality.
    """

    name: str
    network: nn.Module
    modality: str
    digest: str
    states: tuple[str, ...]

    def draws_in(self, state: str) -> bool:
        """Tell whether its map means anything in a state of availability."""
        return self.modality != "current" and state != "current"


def weights_path(models: Path, name: str) -> Path:
    """Return the file of a model's finished weights in the folder of models."""
    return models / f"{name}.pt"


def trained_model(models: Path, model: StudyModel) -> TrainedModel:
    """Return a model with its weights, rounded as they are exported.

    Raises
    ------
    UnfinishedTrainingError
        If there is no file of its finished weights.
    """
    path = weights_path(models, model.name)
    if not path.exists():
        raise UnfinishedTrainingError(f"{path}: expected finished weights, found none; train first")
    return _ready(replace(model, begin=path), path)


def begun_model(model: StudyModel) -> TrainedModel:
    """Return a model with the weights that it begins from.

    Raises
    ------
    UnfinishedTrainingError
        If it begins fresh.
    """
    if model.begin is None:
        raise UnfinishedTrainingError(f"{model.name}: expected weights to begin from, got none")
    return _ready(model, model.begin)


def _ready(model: StudyModel, path: Path) -> TrainedModel:
    network = build(model)
    round_weights(network)
    modality = model.spec.modality if isinstance(model.spec, MemberSpec) else "both"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    states = tuple(AVAILABILITY) if model.name in SHIPPED else ("both",)
    return TrainedModel(model.name, network.eval(), modality, digest, states)


def trained_models(models: Path) -> Sequence[TrainedModel]:
    """Return every model of the study that has finished, in the study's order.

    Raises
    ------
    UnfinishedTrainingError
        If none has.
    """
    finished = [model for model in STUDY if weights_path(models, model.name).exists()]
    if not finished:
        raise UnfinishedTrainingError(
            f"{models}: expected finished weights, found none; train first"
        )
    return [trained_model(models, model) for model in finished]


def round_weights(module: nn.Module) -> None:
    """Round every float parameter and buffer in place to half precision, kept as float32.

    What is calibrated, exported, evaluated and frozen as reference are then the same weights, and
    the files compress to little more than half.
    """
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half().float())
