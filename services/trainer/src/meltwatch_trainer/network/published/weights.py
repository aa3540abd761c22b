"""From a file of weights under the published keys to the network that they belong to."""

from pathlib import Path

from meltwatch_trainer.errors import WeightsError
from meltwatch_trainer.network.published.fmformer import FmFormer, build_fmformer
from meltwatch_trainer.network.published.spec import difference, spec_of
from meltwatch_trainer.network.weights_file import read_weights


def load_fmformer(path: Path) -> FmFormer:
    """Return the network of a file in evaluation mode; every key and shape must match.

    Raises
    ------
    WeightsError
        If the file cannot be read, or its keys or shapes are not exactly those of a variant.
    """
    weights = read_weights(path)
    found = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    try:
        network = build_fmformer(spec_of(found))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    expected = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    if wrong := difference(expected, found):
        raise WeightsError(
            f"{path}: expected the {len(expected)} published keys of {network.spec}: {wrong}"
        )
    network.load_state_dict(weights, strict=True)
    return network.eval()
