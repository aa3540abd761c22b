"""From trained members to the files of an ensemble."""

from collections.abc import Mapping

from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.window import WindowSpec
from torch import nn

from meltwatch_trainer.network.steps import Aggregate, Decode, ServedAggregate
from meltwatch_trainer.release.model_repository import EnsembleFiles, step_specs
from meltwatch_trainer.release.onnx_export import export_onnx


def ensemble_files(
    members: Mapping[str, nn.Module],
    aggregate: Aggregate,
    encoder: Encoder,
    spec: WindowSpec,
    described: dict[str, str],
) -> EnsembleFiles:
    """Export every step of an ensemble.

    Parameters
    ----------
    members
        Letter to what is served under it: clip uint8, currents, available in; logit and map
        logits out (``ServedMember``, ``ServedFmFormer``).
    described
        ``model_version`` and ``trained_on``, as they shall stand in the configuration.
    """
    letters = tuple(members)
    modules: list[nn.Module] = [
        Decode(encoder.basis),
        *members.values(),
        ServedAggregate(aggregate),
    ]
    specs = step_specs(letters, encoder.dims)
    onnx = {
        model.name: export_onnx(module, model) for module, model in zip(modules, specs, strict=True)
    }
    parameters = {**described, "spec_id": spec.spec_id, "encoder_id": encoder.encoder_id}
    return EnsembleFiles(letters, encoder.dims, onnx, parameters)
