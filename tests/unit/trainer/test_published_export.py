from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from meltwatch_schemas.encoder import default_encoder
from meltwatch_trainer.__main__ import main
from meltwatch_trainer.errors import WeightsError
from meltwatch_trainer.judge.served_ensemble import ServedEnsemble
from meltwatch_trainer.network.published.fmformer import FmFormer, FmFormerOutput, build_fmformer
from meltwatch_trainer.network.published.spec import FmFormerSpec
from meltwatch_trainer.network.published.weights import load_fmformer
from meltwatch_trainer.release.commands import export_weights
from meltwatch_trainer.release.model_repository import check_repository
from safetensors.torch import save_file

TINY = FmFormerSpec(segments=True, width=12, depth=1)
VARIANTS = {
    "joint": TINY,
    "classification": replace(TINY, segments=False),
    "segmentation": replace(TINY, classifies=False),
    "no dilated tokens": replace(TINY, dilated=False),
    "video": replace(TINY, modality="video"),
    "current": FmFormerSpec("current", width=12, depth=1),
}
AVAILABLE = np.array([[1, 1], [1, 0], [0, 1]], dtype=np.float32)


def a_network(spec: FmFormerSpec = TINY) -> FmFormer:
    torch.manual_seed(7)
    return build_fmformer(spec).eval()


def saved(folder: Path, network: FmFormer) -> Path:
    path = folder / "weights.pth"
    torch.save(network.state_dict(), path)
    return path


def windows() -> tuple[np.ndarray, np.ndarray]:
    """Make one window, once per row of ``AVAILABLE``."""
    rng = np.random.default_rng(2)
    clip = rng.integers(0, 256, (1, 10, 64, 64, 3), dtype=np.uint8)
    currents = rng.normal(6500, 300, (1, 240, 3)).astype(np.float32)
    return np.repeat(clip, 3, axis=0), np.repeat(currents, 3, axis=0)


def published_answer(network: FmFormer, clips: np.ndarray, currents: np.ndarray) -> FmFormerOutput:
    """Ask the network as the published loader does: columns before rows, absent ones zeros."""
    seen = clips * AVAILABLE[:, 0].reshape(-1, 1, 1, 1, 1)
    read = currents * AVAILABLE[:, 1].reshape(-1, 1, 1)
    clip = torch.from_numpy(seen.astype(np.float32)).permute(0, 4, 1, 3, 2)
    with torch.no_grad():
        return network(clip, torch.from_numpy(read.astype(np.float32)))


def expected_logits(answer: FmFormerOutput) -> np.ndarray:
    streams = [answer.video_logits, answer.current_logits]
    if streams == [None, None]:
        pixels = answer.map_logits[:, 1] - answer.map_logits[:, 0]
        return pixels.flatten(1).max(dim=1).values.numpy() * AVAILABLE[:, 0]
    return sum(
        (logits[:, 1] - logits[:, 0]).numpy() * there
        for logits, there in zip(streams, AVAILABLE.T, strict=True)
        if logits is not None
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_served_chain_answers_as_the_published_network(tmp_path: Path, variant: str) -> None:
    network = a_network(VARIANTS[variant])
    export_weights(saved(tmp_path, network), tmp_path / "repository")
    ensemble = ServedEnsemble(tmp_path / "repository", ("a",))
    clips, currents = windows()
    decoded = ensemble.decode(np.stack([default_encoder().encode(clip) for clip in clips]))
    logit, member_logits, disagreement, anomaly_map = ensemble.score_windows(
        decoded, currents, AVAILABLE
    )
    answer = published_answer(network, clips, currents)
    assert np.allclose(logit[:, 0], expected_logits(answer), atol=1e-4)
    assert np.array_equal(logit, member_logits)
    assert not disagreement.any()
    if answer.map_logits is None:
        assert anomaly_map.max() < 1e-7
    else:
        upright = answer.map_logits.softmax(dim=1)[:, 1].transpose(1, 2).numpy()
        assert np.allclose(anomaly_map[:2], upright[:2], atol=1e-4)
        assert not anomaly_map[2].any()


@pytest.mark.parametrize("garbage", [np.nan, np.inf, -1e4])
def test_an_absent_modality_has_no_influence_whatever_its_tensor_holds(
    tmp_path: Path, garbage: float
) -> None:
    export_weights(saved(tmp_path, a_network()), tmp_path / "repository")
    ensemble = ServedEnsemble(tmp_path / "repository", ("a",))
    clips, currents = windows()
    expected = ensemble.score_windows(clips, currents, AVAILABLE)
    currents[1], clips[2] = garbage, 77
    for answer, before in zip(
        ensemble.score_windows(clips, currents, AVAILABLE), expected, strict=True
    ):
        assert np.array_equal(answer, before)


def test_both_kinds_of_file_hold_the_same_weights(tmp_path: Path) -> None:
    network = a_network()
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    for path in (saved(tmp_path, network), tmp_path / "weights.safetensors"):
        loaded = load_fmformer(path)
        assert loaded.spec == TINY
        assert not loaded.training
        for key, tensor in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], tensor)


def test_members_of_an_earlier_ensemble_do_not_stay(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    stale = repository / "fmformer_member_b" / "1" / "model.onnx"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"old")
    digest = export_weights(saved(tmp_path, a_network()), repository)
    assert not stale.exists()
    assert check_repository(repository) == digest


def rename_a_key(weights: dict[str, torch.Tensor]) -> None:
    weights["head.extra"] = weights.pop("head.mlp_head1.1.bias")


def reshape_a_key(weights: dict[str, torch.Tensor]) -> None:
    weights["head.mlp_head1.1.bias"] = torch.zeros(3)


def forget_the_positions(weights: dict[str, torch.Tensor]) -> None:
    del weights["pos_embedding1"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (rename_a_key, r"1 missing \(head.mlp_head1.1.bias\), 1 unexpected \(head.extra\)"),
        (reshape_a_key, r"1 of another shape \(head.mlp_head1.1.bias: expected \(2,\), got \(3,\)"),
        (forget_the_positions, "expected the state-dict keys of a published FmFormer, found"),
        (dict.clear, "expected the state-dict keys of a published FmFormer, found 0 keys"),
    ],
)
def test_other_keys_are_refused(
    tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], None], told: str
) -> None:
    weights = dict(a_network().state_dict())
    change(weights)
    path = tmp_path / "weights.pth"
    torch.save(weights, path)
    with pytest.raises(WeightsError, match=told):
        export_weights(path, tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


def test_weights_for_clips_of_another_length_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, a_network(replace(TINY, modality="video", frames=8)))
    with pytest.raises(WeightsError, match="clips of 10 frames, as the windows have, got 8"):
        export_weights(path, tmp_path / "repository")


class Touch:
    """A pickle of this creates a file when it is loaded by anything that runs what it reads."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("content", ["code", "noise", "nothing", "a list", "no file"])
def test_what_holds_no_weights_is_refused_in_one_line_and_never_run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    content: str,
) -> None:
    path, trace = tmp_path / name, tmp_path / "ran"
    match content:
        case "code":
            torch.save(Touch(trace), path)
        case "a list":
            torch.save([1, 2], path)
        case "noise" | "nothing":
            path.write_bytes(b"noise" if content == "noise" else b"")
    repository = tmp_path / "repository"
    arguments = ["export", "--weights", str(path), "--repository", str(repository)]
    monkeypatch.setattr("sys.argv", ["meltwatch-trainer", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"meltwatch-trainer: {path}: expected ")
    assert not trace.exists()
    assert not repository.exists()
