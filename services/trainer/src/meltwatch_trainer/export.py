"""From trained members to the files of an ensemble."""

from meltwatch_schemas.encoder import Encoder
from meltwatch_schemas.window import WindowSpec
from torch import nn

from meltwatch_trainer.adapters.model_repository import EnsembleFiles, step_specs
from meltwatch_trainer.adapters.onnx_export import export_onnx
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.network.steps import Aggregate, Decode, ServedAggregate, ServedMember


def ensemble_files(
    members: list[Member],
    aggregate: Aggregate,
    encoder: Encoder,
    spec: WindowSpec,
    described: dict[str, str],
) -> EnsembleFiles:
    """Export every step of an ensemble.

    Parameters
    ----------
    described
        ``model_version`` and ``trained_on``, as they shall stand in the configuration.
    """
    letters = tuple(member.spec.name for member in members)
    modules: list[nn.Module] = [
        Decode(encoder.basis),
        *(ServedMember(member) for member in members),
        ServedAggregate(aggregate),
    ]
    specs = step_specs(letters, encoder.dims)
    onnx = {
        model.name: export_onnx(module, model) for module, model in zip(modules, specs, strict=True)
    }
    parameters = {**described, "spec_id": spec.spec_id, "encoder_id": encoder.encoder_id}
    return EnsembleFiles(letters, encoder.dims, onnx, parameters)
