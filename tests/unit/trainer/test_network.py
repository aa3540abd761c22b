import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from meltwatch_schemas.encoder import default_encoder
from meltwatch_trainer.domain.members import MEMBER_A, SHIPPED_MEMBERS, MemberSpec
from meltwatch_trainer.network.encoder import EncoderLayer
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.network.steps import Aggregate, Decode
from meltwatch_trainer.network.tokens import VideoTokens, cut_tubelets
from torch import Tensor

PUBLISHED = dataclasses.replace(MEMBER_A, width=96, depth=6, heads=3)


def a_member(spec: MemberSpec) -> Member:
    torch.manual_seed(3)
    return Member(spec).eval()


def a_window(count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    clip = torch.randint(0, 256, (count, 10, 64, 64, 3), generator=generator).float()
    return clip, 6500 + 400 * torch.randn(count, 240, 3, generator=generator)


def test_tubelets_are_ordered_as_published() -> None:
    clip = torch.arange(10 * 64 * 64 * 3).reshape(1, 10, 64, 64, 3).float()
    tubelets = cut_tubelets(clip, 2)
    assert tubelets.shape == (1, 320, 384)
    # Token (time 1, row 2, column 3), element (row 4, column 5, frame 1, channel 2).
    token, element = 1 * 64 + 2 * 8 + 3, ((4 * 8 + 5) * 2 + 1) * 3 + 2
    assert tubelets[0, token, element] == clip[0, 3, 2 * 8 + 4, 3 * 8 + 5, 2]


def test_a_layer_has_the_published_number_of_parameters() -> None:
    parameters = sum(p.numel() for p in EncoderLayer(PUBLISHED).parameters())
    learned_stand_ins = 2 * PUBLISHED.width
    assert parameters == 297_408 + learned_stand_ins


def test_video_tokens_are_as_many_as_published() -> None:
    tokens = VideoTokens(PUBLISHED)
    assert tokens(a_window(1)[0]).shape == (1, 401, 96)
    assert sum(p.numel() for p in tokens.standard.parameters()) == 37_920


@pytest.mark.parametrize("spec", SHIPPED_MEMBERS, ids=lambda spec: spec.name)
@pytest.mark.parametrize("absent", [0, 1], ids=["video", "current"])
def test_an_absent_modality_has_no_influence_whatever_its_tensor_holds(
    spec: MemberSpec, absent: int
) -> None:
    member, window = a_member(spec), list(a_window())
    available = torch.ones(2, 2)
    available[:, absent] = 0
    with torch.no_grad():
        expected = member(*window, available)
        for garbage in (torch.nan, torch.inf, 1e30, 0.0):
            window[absent] = torch.full_like(window[absent], garbage)
            answer = member(*window, available)
            assert torch.equal(answer[0], expected[0])
            assert torch.equal(answer[1], expected[1])
            assert torch.isfinite(answer[0]).all()


@pytest.mark.parametrize("spec", SHIPPED_MEMBERS, ids=lambda spec: spec.name)
def test_each_present_modality_has_influence(spec: MemberSpec) -> None:
    member, (clip, currents), both = a_member(spec), a_window(), torch.ones(2, 2)
    with torch.no_grad():
        answer = member(clip, currents, both)[0]
        assert not torch.allclose(member(clip.flip(3), currents, both)[0], answer)
        assert not torch.allclose(member(clip, currents.flip(1), both)[0], answer)


def test_member_a_is_blind_to_levels_and_member_b_is_not() -> None:
    (clip, currents), both = a_window(), torch.ones(2, 2)
    blind, aware = (a_member(spec) for spec in SHIPPED_MEMBERS)
    with torch.no_grad():
        brighter = [
            (member(clip * 0.5 + 40, currents + 300, both)[0] - member(clip, currents, both)[0])
            for member in (blind, aware)
        ]
    assert brighter[0].abs().max() < 1e-3
    assert brighter[1].abs().max() > 1e-2


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_decode_gives_the_pixels_back(seed: int) -> None:
    clip = np.random.default_rng(seed).integers(0, 256, (10, 64, 64, 3), dtype=np.uint8)
    encoder = default_encoder()
    patches = torch.from_numpy(encoder.encode(clip))[None]
    assert np.array_equal(Decode(encoder.basis)(patches)[0].numpy(), clip)


def an_aggregate() -> Aggregate:
    scale = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], dtype=np.float32)
    return Aggregate(scale, -scale)


@pytest.mark.parametrize(("available", "row"), [((1, 1), 0), ((1, 0), 1), ((0, 1), 2)])
def test_the_aggregate_calibrates_by_availability(available: tuple[int, int], row: int) -> None:
    there = torch.tensor([available], dtype=torch.float32)
    logits, maps = torch.tensor([[0.5, -1.0]]), torch.zeros(1, 2, 64, 64)
    logit, member_logits, disagreement, anomaly_map = an_aggregate()(there, logits, maps)
    first, second, last = 3.0 * row + torch.tensor([1.0, 2.0, 3.0])
    expected = torch.stack([first * 0.5 - first, second * -1.0 - second])
    assert torch.allclose(member_logits[0], expected)
    assert torch.allclose(logit[0, 0], last * expected.mean() - last)
    assert torch.allclose(disagreement[0, 0], expected.std(correction=0))
    assert torch.all(anomaly_map == (0.5 if available[0] else 0.0))
