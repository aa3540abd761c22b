import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from meltwatch_schemas.encoder import default_encoder
from meltwatch_trainer.network.availability import AVAILABILITY
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.network.member_spec import MemberSpec
from meltwatch_trainer.network.published.fmformer import build_fmformer
from meltwatch_trainer.network.published.spec import FmFormerSpec
from meltwatch_trainer.network.published.tokens import cut_tubelets
from meltwatch_trainer.network.steps import Aggregate, Decode, ServedAggregate
from meltwatch_trainer.network.tokens import LIMIT, current_levels, video_levels
from meltwatch_trainer.train.build import build
from meltwatch_trainer.train.study import SHIPPED, STUDY, StudyModel, study_model
from torch import Tensor, nn

from tests.unit.trainer.study_models import small

each_model = pytest.mark.parametrize("model", STUDY, ids=lambda model: model.name)
garbage = st.sampled_from([torch.nan, torch.inf, -torch.inf, 1e30, -1e30, 0.0, 7.5])
state = st.sampled_from(list(AVAILABILITY.values()))


def spread(network: nn.Module) -> nn.Module:
    """Give every weight a value: parts that start at zero would hide what they read."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return network.eval()


NETWORKS = {model.name: spread(build(small(model))) for model in STUDY}


def a_window(count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    clip = torch.randint(0, 256, (count, 10, 64, 64, 3), generator=generator).float()
    return clip, 6500 + 400 * torch.randn(count, 240, 3, generator=generator)


def an_ensemble() -> tuple[list[nn.Module], ServedAggregate]:
    members = [NETWORKS[name] for name in SHIPPED]
    scale = np.full((len(AVAILABILITY), len(members) + 1), 1.5, dtype=np.float32)
    return members, ServedAggregate(Aggregate(scale, -scale))


def test_tubelets_are_ordered_as_published() -> None:
    clip = torch.arange(10 * 64 * 64 * 3).reshape(1, 10, 64, 64, 3).float()
    tubelets = cut_tubelets(clip, 2)
    assert tubelets.shape == (1, 320, 384)
    # Token (time 1, row 2, column 3), element (row 4, column 5, frame 1, channel 2).
    token, element = 1 * 64 + 2 * 8 + 3, ((4 * 8 + 5) * 2 + 1) * 3 + 2
    assert tubelets[0, token, element] == clip[0, 3, 2 * 8 + 4, 3 * 8 + 5, 2]


def published_name(name: str) -> str:
    """Return the published key of a member's weight."""
    for ours, published in {
        "video_tokens.class_token": "cls_token1",
        "video_tokens.positions": "pos_embedding1",
        "video_tokens.standard.published.": "to_patch_embedding1.1+",
        "video_tokens.dilated_positions": "get_additional_tokens.pos_embedding",
        "video_tokens.dilated.published.": "get_additional_tokens.to_patch_embedding.1+",
        "current_tokens.class_token": "cls_token2",
        "current_tokens.positions": "pos_embedding2",
        "current_tokens.samples.published.": "to_patch_embedding2.0+",
        "layers.": "transformer.layers.",
        ".video_self.": ".0.stream1.",
        ".current_self.": ".0.stream2.",
        ".cross.attention.": ".0.cross_attn.",
        ".feed_forward.": ".1.",
    }.items():
        name = name.replace(ours, published)
    # The published video embedding counts its cutting as its first step.
    before, plus, rest = name.partition("+")
    if not plus:
        return name
    prefix, _, first = before.rpartition(".")
    number, _, leaf = rest.partition(".")
    return f"{prefix}.{int(first) + int(number)}.{leaf}"


@pytest.mark.parametrize("levels", [True, False])
@pytest.mark.parametrize("dilated", [True, False])
def test_a_fresh_member_with_the_published_weights_is_the_published_network(
    levels: bool, dilated: bool
) -> None:
    spec = FmFormerSpec(segments=True, dilated=dilated, width=12, depth=2)
    torch.manual_seed(3)
    published = build_fmformer(spec).eval()
    member = Member(
        MemberSpec(12, 2, 3, dilated=dilated, levels=levels, decoder_widths=spec.decoder_widths)
    ).eval()
    weights = published.state_dict()
    own = {name for name in member.state_dict() if published_name(name) not in weights}
    assert all("levels" in name or "without" in name or name == "peak" for name in own)
    loaded = {n: weights[published_name(n)] for n in member.state_dict() if n not in own}
    assert len(loaded) == len(weights)
    member.load_state_dict(loaded, strict=False)
    nn.init.zeros_(member.peak)
    clip, currents = a_window()
    with torch.no_grad():
        answer = published(clip.permute(0, 4, 1, 2, 3), currents)
        logit, map_logits = member(clip, currents, torch.ones(2, 2))
    assert torch.allclose(logit[:, 0], answer.logits[:, 1] - answer.logits[:, 0], atol=1e-5)
    expected = answer.map_logits[:, 1] - answer.map_logits[:, 0]
    assert torch.allclose(map_logits, expected, atol=1e-5)


@settings(max_examples=12, deadline=None)
@given(states=st.lists(state, min_size=1, max_size=3), fill=garbage, seed=st.integers(0, 99))
def test_an_absent_modality_has_no_influence_whatever_its_tensor_holds(
    states: list[tuple[float, float]], fill: float, seed: int
) -> None:
    available = torch.tensor(states)
    clip, currents = a_window(len(states))
    other_clip, other_currents = clip.clone(), currents.clone()
    other_clip[available[:, 0] == 0] = fill
    noise = torch.randn(currents.shape, generator=torch.Generator().manual_seed(seed))
    lost = available[:, 1] == 0
    other_currents[lost] = fill + noise[lost]
    members, aggregate = an_ensemble()
    with torch.no_grad():
        expected = [part for member in members for part in member(clip, currents, available)]
        answers = [
            part for member in members for part in member(other_clip, other_currents, available)
        ]
        outputs = zip(
            (*expected, *aggregate(available, *expected)),
            (*answers, *aggregate(available, *answers)),
            strict=True,
        )
    for before, after in outputs:
        assert torch.isfinite(before).all()
        assert torch.equal(before, after)


@each_model
def test_a_network_reads_what_is_there_of_its_modalities_and_nothing_else(
    model: StudyModel,
) -> None:
    network, (clip, currents), both = NETWORKS[model.name], a_window(), torch.ones(2, 2)
    reads = getattr(model.spec, "modality", "both")
    with torch.no_grad():
        answer = network(clip, currents, both)[0]
        no_video = torch.equal(network(clip.flip(3), currents, both)[0], answer)
        no_currents = torch.equal(network(clip, currents.flip(1), both)[0], answer)
    assert no_video == (reads == "current")
    assert no_currents == (reads == "video")


@each_model
def test_a_network_takes_whole_greys_as_well(model: StudyModel) -> None:
    network, (clip, currents), both = NETWORKS[model.name], a_window(), torch.ones(2, 2)
    with torch.no_grad():
        logit, map_logits = network(clip, currents, both)
        answer = network(clip.to(torch.uint8), currents, both)
    assert logit.shape == (2, 1)
    assert map_logits.shape == (2, 64, 64)
    assert torch.equal(answer[0], logit)
    assert torch.equal(answer[1], map_logits)


@pytest.mark.parametrize(("name", "aware"), [("a", True), ("no_levels", False)])
def test_levels_reach_the_members_that_have_them(name: str, aware: bool) -> None:
    network, (clip, currents), both = NETWORKS[name], a_window(), torch.ones(2, 2)
    with torch.no_grad():
        answer = network(clip, currents, both)[0]
        brighter = network(clip * 0.5 + 40, currents, both)[0] - answer
        stronger = network(clip, currents + 6500, both)[0] - answer
    assert (brighter.abs().max() > 5e-3) == aware
    assert (stronger.abs().max() > 5e-3) == aware


def test_windows_without_video_stay_out_of_the_statistics_of_the_dense_head() -> None:
    networks = [build(small(study_model("a"))) for _ in range(2)]
    clip, currents = a_window(4)
    available = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    other = torch.cat([clip[:2], 255 - clip[2:]])
    for network, frames in zip(networks, (clip, other), strict=True):
        network.train()(frames, currents, available, 2)
    before, after = (network.state_dict() for network in networks)
    means = [name for name in before if name.endswith("running_mean")]
    assert means
    for name in means:
        assert before[name].any()
        assert torch.equal(before[name], after[name])


def test_video_levels_tell_brightness_contrast_and_what_stands_out() -> None:
    tubelets = torch.full((1, 5, 384), 110.0)
    tubelets[0, 2] = 150.0
    tubelets[0, 3, ::2] = 90.0
    levels = video_levels(tubelets)[0]
    assert levels.shape == (5, 7)
    assert torch.equal(levels[0], torch.zeros(7))
    assert torch.allclose(levels[2], torch.tensor([40 / 60] * 3 + [2.0] * 3 + [0.0]))
    assert levels[3, 6] > 2


@settings(max_examples=30, deadline=None)
@given(
    at=st.integers(0, 239),
    phase=st.integers(0, 2),
    value=st.sampled_from([-1e30, -1.0, 0.0, 1.0, 12_345.0, 1e30]),
    samples=st.sampled_from([1, 4, 8]),
)
def test_one_absurd_sample_moves_no_other_token(
    at: int, phase: int, value: float, samples: int
) -> None:
    _, currents = a_window(1)
    expected = current_levels(currents, samples)
    currents[0, at, phase] = value
    levels = current_levels(currents, samples)
    others = torch.arange(levels.shape[1]) != at // samples
    # A median of 240 moves by no more than to its neighbour.
    assert (levels - expected)[0, others].abs().max() < 0.2
    assert levels.abs().max() <= LIMIT


@given(gain=st.floats(0.5, 2.0))
@settings(max_examples=20, deadline=None)
def test_deviations_of_currents_do_not_depend_on_the_furnaces_level(gain: float) -> None:
    _, currents = a_window(1)
    before, after = current_levels(currents, 1), current_levels(gain * currents, 1)
    assert torch.allclose(after[..., :4], before[..., :4], atol=1e-3)
    assert torch.allclose(after[..., 4:] - before[..., 4:], torch.tensor(gain).log(), atol=1e-4)


def test_the_members_are_three_and_each_ablation_is_a_less_one_thing() -> None:
    a = study_model("a").spec
    assert len({study_model(name).spec for name in SHIPPED}) == len(SHIPPED) == 3
    for name in ("no_levels", "no_dilated", "no_cross", "video_only", "current_only"):
        spec = study_model(name).spec
        fields = (field.name for field in dataclasses.fields(spec))
        assert sum(getattr(spec, field) != getattr(a, field) for field in fields) == 1
    published = study_model("faithful").spec
    assert (published.width, published.depth, published.heads) == (a.width, a.depth, a.heads)
    assert len({model.name for model in STUDY}) == len(STUDY)
    assert len({model.plan.windows_seen for model in STUDY}) == 1


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
