"""Features, rules, ledger and watermark: what the window tests do not pin down by themselves."""

import numpy as np
import pytest
from meltwatch_core.join.errors import OutOfSequence
from meltwatch_core.join.joiner import PartitionJoiner
from meltwatch_core.join.merge import Reading
from meltwatch_core.join.quality import FeatureExtractor
from meltwatch_core.join.restore import NeededOffsets, Past, Resumption
from meltwatch_core.join.rules import PUBLISHED_RULES, JoinRules
from meltwatch_core.join.watermark import Watermark
from meltwatch_core.join.window import AlignedWindow, Outcome
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.errors import violation
from meltwatch_schemas.score import Modality
from meltwatch_schemas.window import WindowSpec

from tests.support.entries import entry_at
from tests.support.oracle import Record, Step
from tests.support.rule_numbers import CURRENT, VIDEO
from tests.unit.core.join.sequences import (
    ENCODER,
    SMALL,
    at_once,
    read_at,
    rules_of,
    silence_after,
    take,
)

S = 10**9


def test_video_features_are_those_of_the_decoded_frames():
    encoder = default_encoder()
    pixels = np.random.default_rng(5).integers(0, 256, (10, 64, 64, 3), np.uint8)
    clip = encoder.encode(pixels)
    extractor = FeatureExtractor(encoder.basis)
    features = extractor.features(extractor.greys(clip), None)
    patches = pixels.reshape(10, 8, 8, 8, 8, 3).mean(axis=(2, 4, 5)).reshape(10, 64)
    assert features.video_mean == pytest.approx(pixels[-1].mean(), abs=0.1)
    motion = np.abs(np.diff(patches, axis=0)).mean()
    assert features.video_motion == pytest.approx(motion, abs=0.1)
    assert features.current_mean_a is None


def test_current_features_are_mean_deviation_and_imbalance():
    currents = np.tile(
        np.array([[90.0, 100.0, 110.0], [110.0, 100.0, 150.0]], np.float32), (120, 1)
    )
    features = FeatureExtractor(default_encoder().basis).features(None, currents)
    assert features.current_mean_a == pytest.approx((100.0, 100.0, 130.0))
    assert features.current_std_a == pytest.approx((10.0, 0.0, 20.0))
    assert features.imbalance == pytest.approx(20.0 / 110.0)
    assert features.video_mean is None


def test_a_furnace_without_current_is_balanced():
    features = FeatureExtractor(default_encoder().basis).features(
        None, np.zeros((240, 3), np.float32)
    )
    assert features.imbalance == 0.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"spec": WindowSpec(hop_ns=72 * 720_000_000)}, "hop_ns"),
        ({"min_frames": 11}, "min_frames"),
        ({"min_values": 480}, "min_values"),
    ],
)
def test_rules_that_cannot_hold_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        JoinRules(**wrong)


def test_the_slowest_modality_decides_and_nothing_goes_back():
    watermark = Watermark(PUBLISHED_RULES)
    watermark.advance(Modality.CURRENT, 100 * S)
    watermark.update(Reading(0), ())
    assert watermark.time_ns is None
    watermark.advance(Modality.VIDEO, 96 * S)
    watermark.update(Reading(0), ())
    assert watermark.time_ns == 95_800_000_000
    watermark.update(Reading(0), {Modality.VIDEO})
    assert watermark.time_ns == 99_500_000_000
    watermark.advance(Modality.VIDEO, 97 * S)
    watermark.update(Reading(0), ())
    assert watermark.time_ns == 99_500_000_000


def test_a_modality_never_seen_is_waited_for_until_it_is_left_out():
    watermark = Watermark(PUBLISHED_RULES)
    watermark.advance(Modality.CURRENT, 100 * S)
    watermark.update(Reading(0), Modality)
    assert watermark.time_ns is None
    watermark.update(Reading(0), {Modality.VIDEO})
    assert watermark.time_ns == 99_500_000_000


def test_windows_are_reported_published_in_their_order():
    ledger = NeededOffsets({})
    ledger.closed(8, {}, {})
    ledger.closed(16, {}, {})
    with pytest.raises(OutOfSequence, match="ending at 8 ns"):
        ledger.published(16)


def records_of(modality: str, furnace: str, times: range, first_offset: int) -> list[Record]:
    value = 1.0 if modality == VIDEO else (1.0, 1.0, 1.0)
    return [
        Record(modality, first_offset + index, furnace, modality, (time,), (value,), time)
        for index, time in enumerate(times)
    ]


def test_a_retired_furnace_holds_nothing_once_its_windows_are_published():
    joiner = PartitionJoiner(7, ENCODER, rules_of(SMALL))
    steps = at_once(records_of(CURRENT, "site/off", range(200, 210), 0))
    silence = silence_after(steps, SMALL)
    steps += [
        Step(silence.now, silence.read_as_of, record)
        for record in records_of(CURRENT, "site/on", range(210, 300), 10)
    ]
    windows = [window for step in [*steps, silence] for window in take(joiner, step).windows]
    assert {window.furnace_id for window in windows} == {"site/off"}
    assert joiner.acknowledgeable() == {Modality.CURRENT: 0}
    for window in windows:
        joiner.published(window)
    assert joiner.acknowledgeable() == {Modality.CURRENT: 10}
    assert joiner.furnaces == 1


def test_a_furnace_holds_back_what_its_next_window_can_use():
    joiner, windows = one_furnace(range(200, 300))
    for window in windows:
        joiner.published(window)
    held = 100 - joiner.acknowledgeable()[Modality.CURRENT]
    reach = SMALL.reach(CURRENT) + SMALL.current_bound
    assert reach - SMALL.hop <= held < reach


def one_furnace(times: range) -> tuple[PartitionJoiner, list[AlignedWindow]]:
    """A joiner that read a meter without a camera, once it knew that there is none."""
    joiner = PartitionJoiner(7, ENCODER, rules_of(SMALL))
    windows: list[AlignedWindow] = []
    for record in records_of(CURRENT, "site/on", times, 0):
        now = record.times[0]
        windows += take(joiner, Step(now, read_at(now).read_as_of, record)).windows
    return joiner, windows


def test_a_record_refused_before_the_merge_moves_the_position_alone():
    joiner, refusal = PartitionJoiner(7, ENCODER, rules_of(SMALL)), violation("odd")
    assert joiner.advance(entry_at(Modality.VIDEO, 0, refusal), Reading(0)) == Outcome(
        refusal=refusal
    )
    assert joiner.acknowledgeable() == {Modality.VIDEO: 1}
    with pytest.raises(OutOfSequence, match="at least 1, got 0"):
        joiner.advance(entry_at(Modality.VIDEO, 0, refusal), Reading(0))


def test_a_record_that_an_earlier_life_refused_is_not_refused_again():
    past = Past(10, 9, 9, {}, {}, {Modality.VIDEO: 5})
    resumption = Resumption({Modality.VIDEO: 4}, {"site/on": past})
    joiner, refusal = PartitionJoiner(7, ENCODER, rules_of(SMALL), resumption), violation("odd")
    assert joiner.advance(entry_at(Modality.VIDEO, 5, refusal), Reading(0)) == Outcome(history=True)
    assert joiner.advance(entry_at(Modality.VIDEO, 6, refusal), Reading(0)) == Outcome(
        refusal=refusal
    )


def test_a_window_that_nobody_closed_cannot_be_published():
    joiner, windows = one_furnace(range(200, 240))
    for window in windows:
        joiner.published(window)
    with pytest.raises(OutOfSequence, match="expected an unpublished window"):
        joiner.published(windows[-1])
