"""``.venv-triton/bin/python bare_onnx.py REPOSITORY RUNS``: the ensemble by ONNX Runtime alone.

Runs in Triton's own Python, so it imports nothing of ours. One thread, one window at a time. It
prints what a window took: processor time, milliseconds, once for each third of the runs.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


def session(repository: Path, name: str) -> Any:
    """Load a model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    path = str(repository / f"fmformer_{name}" / "1" / "model.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main(repository: Path, runs: int) -> None:
    """Score random windows."""
    chance = np.random.default_rng(1)
    patches = chance.normal(50, 20, (1, 10, 64, 192)).astype(np.float16)
    currents = chance.normal(40_000, 2_000, (1, 240, 3)).astype(np.float32)
    available = np.ones((1, 2), np.float32)
    decode, fuse = session(repository, "decode"), session(repository, "aggregate")
    members = {name: session(repository, f"member_{name}") for name in "abc"}

    def window() -> None:
        (clip,) = decode.run(["clip"], {"patches": patches})
        given = {"clip": clip, "currents": currents, "available": available}
        fused = {"available": available}
        for name, member in members.items():
            logit, map_logits = member.run(["logit", "map_logits"], given)
            fused |= {f"logit_{name}": logit, f"map_logits_{name}": map_logits}
        fuse.run(None, fused)

    for _ in range(5):
        window()
    for _ in range(3):
        begun_s = time.process_time()
        for _ in range(runs):
            window()
        print((time.process_time() - begun_s) / runs * 1e3)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
