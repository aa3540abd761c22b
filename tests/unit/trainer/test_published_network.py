import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from meltwatch_trainer.benchmark.training import joint_loss
from meltwatch_trainer.network.published.fmformer import FmFormer, FmFormerOutput, build_fmformer
from meltwatch_trainer.network.published.spec import FMFORMER_L, FmFormerSpec, difference, spec_of

KEYS = Path(__file__).parent / "golden" / "published_keys.txt"
SEGMENTATION = FmFormerSpec(classifies=False, segments=True)
VIDEO = FmFormerSpec("video")
TINY = FmFormerSpec(segments=True, width=12, depth=1)


def published_keys() -> Iterator[tuple[FmFormerSpec, dict[str, tuple[int, ...]]]]:
    for section in KEYS.read_text().split("\n[")[1:]:
        title, *lines = section.splitlines()
        modality, task, frames = title.rstrip("]").split()
        spec = FmFormerSpec(
            modality,
            classifies=task == "classification",
            segments=task == "segmentation",
            frames=int(frames),
        )
        shapes = {key: tuple(map(int, sizes)) for key, *sizes in map(str.split, lines)}
        layer = "transformer.layers."
        for key in [key for key in shapes if key.startswith(layer)]:
            others = (key.replace(f"{layer}0", f"{layer}{n}", 1) for n in range(1, spec.depth))
            shapes |= dict.fromkeys(others, shapes[key])
        yield spec, shapes


def shapes_of(network: FmFormer) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def a_network(spec: FmFormerSpec) -> FmFormer:
    torch.manual_seed(3)
    return build_fmformer(spec).eval()


def a_window() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    clip = torch.randint(0, 256, (2, 3, 10, 64, 64), generator=generator).float()
    return clip, 8000 + 2000 * torch.randn(2, 240, 3, generator=generator)


@pytest.mark.parametrize(
    ("spec", "shapes"), list(published_keys()), ids=lambda value: getattr(value, "modality", "")
)
def test_keys_and_shapes_are_the_published_ones_and_tell_the_variant(
    spec: FmFormerSpec, shapes: dict[str, tuple[int, ...]]
) -> None:
    assert difference(shapes, shapes_of(build_fmformer(spec))) == ""
    assert spec_of(shapes) == spec


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (FmFormerSpec(), 1_923_466),
        (FmFormerSpec(dilated=False), 1_877_866),
        (SEGMENTATION, 2_419_848),
        (replace(SEGMENTATION, dilated=False), 2_207_880),
        (replace(VIDEO, frames=8), 776_836),
        (VIDEO, 784_516),
        (replace(VIDEO, classifies=False, segments=True, frames=8), 1_254_786),
        (replace(VIDEO, classifies=False, segments=True), 1_280_898),
        (FmFormerSpec("current"), 693_512),
        (replace(FMFORMER_L, segments=False), 3_707_914),
    ],
)
def test_a_variant_has_the_published_number_of_parameters(
    spec: FmFormerSpec, parameters: int
) -> None:
    assert sum(p.numel() for p in build_fmformer(spec).parameters()) == parameters


@pytest.mark.parametrize("dilated", [True, False])
@pytest.mark.parametrize("modality", ["both", "video"])
def test_a_joint_network_answers_as_the_two_that_it_joins(modality: str, dilated: bool) -> None:
    joint = a_network(replace(TINY, modality=modality, dilated=dilated))
    weights, answer = joint.state_dict(), joint(*a_window())
    for heads in ({"segments": False}, {"classifies": False}):
        single = build_fmformer(replace(joint.spec, **heads)).eval()
        single.load_state_dict({key: weights[key] for key in single.state_dict()})
        alone = single(*a_window())
        assert (alone.logits is None) != (alone.map_logits is None)
        if alone.logits is not None:
            assert torch.equal(alone.logits, answer.logits)
        else:
            assert torch.equal(alone.map_logits, answer.map_logits)


def test_the_published_network_is_blind_to_levels() -> None:
    network, (clip, current) = a_network(TINY), a_window()
    gains = 1 + torch.rand(2, 240, 1)
    with torch.no_grad():
        answer = network(clip, current)
        levels = network(clip * 0.5 + 40, current * gains + 300)
    assert torch.allclose(levels.logits, answer.logits, atol=1e-4)
    assert torch.allclose(levels.map_logits, answer.map_logits, atol=1e-3)


def test_dilated_tokens_read_the_even_pixels_and_no_others() -> None:
    network, (clip, _) = a_network(TINY), a_window()
    other = torch.zeros_like(clip)
    other[..., ::2, ::2] = clip[..., ::2, ::2]
    tokens = network.get_additional_tokens
    assert torch.equal(tokens(clip), tokens(other))
    assert not torch.equal(tokens(clip), tokens(clip.flip(-1)))


@pytest.mark.parametrize("modality", ["video", "current"])
def test_one_modality_alone_does_not_read_the_other(modality: str) -> None:
    network = a_network(replace(TINY, modality=modality, segments=modality == "video"))
    window = list(a_window())
    expected = network(*window).logits
    window[modality == "video"] = torch.full_like(window[modality == "video"], torch.nan)
    assert torch.equal(network(*window).logits, expected)


def test_the_joint_loss_is_that_of_pixels_and_alpha_times_that_of_classes() -> None:
    label, mask = torch.tensor([1, 0]), torch.zeros(2, 64, 64, dtype=torch.int64)
    even, sure = torch.zeros(2, 2), torch.tensor([[[100.0]], [[0.0]]]).expand(2, 2, 64, 64)
    both = FmFormerOutput(even, even, 0 * sure)
    assert joint_loss(both, label, mask, alpha=0.5).item() == pytest.approx(1.5 * math.log(2))
    assert joint_loss(both._replace(map_logits=sure), label, mask).item() == pytest.approx(
        math.log(2)
    )
    pixels_alone = FmFormerOutput(map_logits=0 * sure)
    assert joint_loss(pixels_alone, label, mask, alpha=9).item() == pytest.approx(math.log(2))


def test_the_joint_loss_reaches_every_weight_that_counts() -> None:
    network = build_fmformer(TINY)
    label, mask = torch.tensor([1, 0]), torch.zeros(2, 64, 64, dtype=torch.int64)
    joint_loss(network(*a_window()), label, mask).backward()
    assert [key for key, weight in network.named_parameters() if weight.grad is None] == []
