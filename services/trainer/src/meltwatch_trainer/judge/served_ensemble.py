"""The ensemble as the server runs it, in this process: ONNX Runtime over the repository's files."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.model_config import ENSEMBLE


def members_in(root: Path) -> tuple[str, ...]:
    """Return the letters of the members that a repository serves, in order."""
    prefix = f"{ENSEMBLE}_member_"
    return tuple(sorted(path.name.removeprefix(prefix) for path in root.glob(f"{prefix}*")))


class ServedEnsemble:
    """Run the steps of an ensemble's repository one after the other.

    Parameters
    ----------
    root
        The model repository.
    letters
        Members in order.
    """

    def __init__(self, root: Path, letters: tuple[str, ...]) -> None:
        self._letters = letters
        self._decode = _step(root / f"{ENSEMBLE}_decode")
        self._members = [_step(root / f"{ENSEMBLE}_member_{letter}") for letter in letters]
        self._aggregate = _step(root / f"{ENSEMBLE}_aggregate")

    def decode(self, patches: NDArray[np.float16]) -> NDArray[np.uint8]:
        """Return clips ``(n, 10, 64, 64, 3)`` of embeddings ``(n, 10, 64, d)``."""
        clip: NDArray[np.uint8] = self._decode.run(None, {"patches": patches})[0]
        return clip

    def score_windows(
        self,
        clips: NDArray[np.uint8],
        currents: NDArray[np.float32],
        available: NDArray[np.float32],
    ) -> list[NDArray[np.float32]]:
        """Return logit, member logits, disagreement and anomaly map of decoded windows."""
        feeds: dict[str, np.ndarray] = {"available": available}
        window = {"clip": clips, "currents": currents, "available": available}
        for letter, member in zip(self._letters, self._members, strict=True):
            logit, map_logits = member.run(None, window)
            feeds[f"logit_{letter}"], feeds[f"map_logits_{letter}"] = logit, map_logits
        outputs: list[NDArray[np.float32]] = self._aggregate.run(None, feeds)
        return outputs

    def logits(
        self, clips: NDArray[np.uint8], currents: NDArray[np.float32], state: str
    ) -> NDArray[np.float32]:
        """Return the fused logit of each window ``(n,)`` in an availability state."""
        available = np.tile(np.array(AVAILABILITY[state], dtype=np.float32), (len(clips), 1))
        return self.score_windows(clips, currents, available)[0][:, 0]


def onnx_session(model: Path | bytes) -> ort.InferenceSession:
    """Return what runs an ONNX file, or its bytes, on one CPU thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _step(model: Path) -> ort.InferenceSession:
    return onnx_session(model / "1" / "model.onnx")
