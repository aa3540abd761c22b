from math import isnan

import numpy as np
import pytest
from meltwatch_trainer.benchmark.evaluation import Confusion, confusion
from meltwatch_trainer.benchmark.plan import paper_numbers
from meltwatch_trainer.network.published.spec import FMFORMER_B, FMFORMER_S, FmFormerSpec

# 10 windows, 4 abnormal: 3 found, 1 missed, 2 of 6 normal ones accused.
SOME = Confusion(hits=3, false_alarms=2, misses=1, rejections=4)


def test_the_papers_metrics_of_a_confusion_worked_out_by_hand() -> None:
    assert SOME.accuracy == pytest.approx(7 / 10)
    # Precision 3/5, recall 3/4: twice 0.45 over 1.35 and the published 1e-5.
    assert SOME.f1 == pytest.approx(0.9 / 1.35001, abs=1e-12)
    assert SOME.fdr == pytest.approx(2 / 6)
    assert SOME.mdr == pytest.approx(1 / 4)


def test_mean_iou_is_the_mean_of_both_classes() -> None:
    # Abnormal: 3 of 6 in the union; normal: 4 of 7.
    assert SOME.mean_iou == pytest.approx((3 / 6 + 4 / 7) / 2, abs=1e-5)


def test_counting_tells_the_four_cases_apart() -> None:
    said = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], bool)
    true = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0], bool)

    assert confusion(said, true) == SOME
    assert confusion(said[:5], true[:5]) + confusion(said[5:], true[5:]) == SOME


def test_a_share_of_nothing_is_undefined() -> None:
    all_abnormal = Confusion(hits=3, misses=1)

    assert isnan(all_abnormal.fdr)
    assert isnan(Confusion(rejections=2).mdr)
    assert isnan(Confusion().accuracy)


def test_who_never_finds_anything_has_f1_0() -> None:
    assert Confusion(misses=3, rejections=5).f1 == 0


def test_the_papers_figures_belong_to_its_own_variants() -> None:
    assert paper_numbers(FMFORMER_B)["accuracy"] == "0.9837"
    assert paper_numbers(FmFormerSpec(segments=True, modality="video"))["mIoU"] == "0.8382"
    assert "mIoU" not in paper_numbers(FmFormerSpec())
    assert paper_numbers(FMFORMER_S) == {}
    assert "F1" not in paper_numbers(FMFORMER_B)
