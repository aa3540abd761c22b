from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_trainer.errors import RepositoryError
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.network.steps import Aggregate
from meltwatch_trainer.release.digest import files_digest
from meltwatch_trainer.release.ensemble_files import ensemble_files
from meltwatch_trainer.release.model_repository import check_repository, write_repository
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import SHIPPED, study_model
from meltwatch_trainer.train.trained import round_weights
from torch import nn

from tests.unit.trainer.study_models import small

DESCRIBED = {"model_version": "9.9.9", "trained_on": "nothing"}


@pytest.fixture(scope="module")
def tiny_ensemble(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[nn.Module]]:
    served = {name: build(small(study_model(name))).eval() for name in SHIPPED}
    for member in served.values():
        round_weights(member)
    line = np.ones((3, len(SHIPPED) + 1), dtype=np.float32)
    files = ensemble_files(
        served, Aggregate(2 * line, line), default_encoder(), PUBLISHED_SPEC, DESCRIBED
    )
    root = tmp_path_factory.mktemp("repository")
    write_repository(root, files)
    return root, list(served.values())


@pytest.mark.parametrize("count", [1, 3])
def test_exported_members_answer_as_pytorch_does_for_any_batch(
    tiny_ensemble: tuple[Path, list[nn.Module]], count: int
) -> None:
    root, members = tiny_ensemble
    rng = np.random.default_rng(2)
    clips = rng.integers(0, 256, (count, 10, 64, 64, 3), dtype=np.uint8)
    currents = rng.normal(6500, 300, (count, 240, 3)).astype(np.float32)
    available = np.array([[1, 1], [0, 1], [1, 0]], dtype=np.float32)[:count]
    logit, member_logits, _, _ = ServedEnsemble(root, SHIPPED).score_windows(
        clips, currents, available
    )
    with torch.no_grad():
        tensors = [torch.from_numpy(array) for array in (clips, currents, available)]
        raw = torch.cat([member(*tensors)[0] for member in members], dim=1)
    assert np.allclose(member_logits, 2 * raw.numpy() + 1, atol=1e-4)
    assert np.allclose(logit[:, 0], 2 * member_logits.mean(axis=1) + 1, atol=1e-4)


def test_a_changed_file_is_found(tiny_ensemble: tuple[Path, list[nn.Module]]) -> None:
    root, _ = tiny_ensemble
    digest = check_repository(root)
    config = root / "fmformer_member_a" / "config.pbtxt"
    original = config.read_bytes()
    config.write_bytes(original + b"\n")
    with pytest.raises(RepositoryError, match=f"found {digest}"):
        check_repository(root)
    config.write_bytes(original)
    assert check_repository(root) == digest


def test_a_folder_without_an_ensemble_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="found no file"):
        check_repository(tmp_path)


def test_exported_weights_are_half_precision(tiny_ensemble: tuple[Path, list[nn.Module]]) -> None:
    root, members = tiny_ensemble
    for member in members:
        for tensor in member.state_dict().values():
            assert torch.equal(tensor, tensor.half().to(tensor.dtype))
    ort.InferenceSession(root / "fmformer_member_a" / "1" / "model.onnx")


def test_the_digest_depends_on_names_and_on_where_bytes_lie() -> None:
    files = {"a": b"12", "b": b"3"}
    assert files_digest(files) == files_digest(dict(reversed(files.items())))
    assert files_digest(files) != files_digest({"a": b"1", "b": b"23"})
    assert files_digest(files) != files_digest({"a": b"12", "c": b"3"})
