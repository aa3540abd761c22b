"""The study of unseen events: what is planned, watched, counted and told."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from meltwatch_schemas.window import PUBLISHED_SPEC
from meltwatch_simulator.unseen import KINDS, NUISANCES
from meltwatch_trainer.__main__ import unseen
from meltwatch_trainer.errors import RepositoryError, TrainerError, UnwritableError
from meltwatch_trainer.network.member import Member
from meltwatch_trainer.train.study import study_model
from meltwatch_trainer.unseen import unseen_commands as commands
from meltwatch_trainer.unseen.contenders import (
    VIDEO_ALONE,
    FurnaceSurprises,
    of_tokens,
    portrayed,
)
from meltwatch_trainer.unseen.happenings import (
    AFTERMATH_S,
    FIT_S,
    JUDGED_S,
    SPOT,
    THRESHOLD_S,
    UNSEEN,
    UNSEEN_SETS,
    Happening,
    at_ns,
    furnace_with,
    happenings,
    judged_kinds,
    left_in,
)
from meltwatch_trainer.unseen.options import UnseenOptions
from meltwatch_trainer.unseen.unseen_verdict import (
    BUDGET,
    ContenderVerdict,
    aftermath_verdict,
    contender_verdict,
)
from meltwatch_trainer.unseen.watching import (
    HOP_S,
    FrozenMember,
    member_tokens,
    served_logits,
    watch,
)

SIDES = commands.SIDES
ALL_SIDES = [side for sides in commands.TWO_SIDED.values() for side in sides]
VIDEO_SIDES = [sides[0] for sides in commands.TWO_SIDED.values()]
FEW = replace(UNSEEN, furnaces=6)
TIMES_S = np.arange(THRESHOLD_S[0], AFTERMATH_S[1], HOP_S) + HOP_S


def surprised(number: int, shows: set[str], false_at_s: tuple[float, ...] = ()):
    """A furnace of which all events of some kinds are a surprise of 9, and nothing else is."""
    planned = happenings(1, FEW.furnace_id(number), judged_kinds())
    rng = np.random.default_rng(number)
    values = rng.exponential(0.4343, len(TIMES_S))
    spans = [(each.start_s, each.end_s) for each in planned if each.kind in shows]
    spans += [(at_s, at_s + 60) for at_s in false_at_s]
    for start_s, end_s in spans:
        values[(start_s <= TIMES_S) & (end_s > TIMES_S)] = 9.0
    return FurnaceSurprises(
        number,
        planned,
        TIMES_S,
        {
            side: values
            if side in VIDEO_SIDES
            else np.random.default_rng(-number - 1 & 255).exponential(0.4343, len(TIMES_S))
            for side in ALL_SIDES
        },
    )


def test_each_kind_happens_as_often_and_nothing_before_it_is_judged() -> None:
    kinds = judged_kinds()
    assert set(kinds) == {*KINDS, SPOT} - set(NUISANCES)
    for number in range(4):
        planned = happenings(1, UNSEEN.furnace_id(number), kinds)
        counts = [sum(each.kind == kind for each in planned) for kind in kinds]
        assert min(counts) >= 3
        assert all(JUDGED_S[0] < each.start_s < each.end_s < JUDGED_S[1] for each in planned)
        assert all(60 <= each.end_s - each.start_s <= 180 for each in planned)
        assert all(one.end_s + 20 < other.start_s for one, other in pairwise(planned))


def test_five_percent_are_left_in() -> None:
    spots = left_in(1, "unseen/furnace-0000")
    share = sum(each.end_s - each.start_s for each in spots) / (FIT_S[1] - FIT_S[0])
    assert share == pytest.approx(0.05, abs=0.01)


def test_no_furnace_is_in_two_sets() -> None:
    names = [runs.furnace_id(n) for runs in UNSEEN_SETS.values() for n in range(runs.furnaces)]
    assert len(set(names)) == len(names)


def test_what_is_watched_shows_the_event_and_nothing_else() -> None:
    planned = (Happening("broken electrode", 300.0, 420.0), Happening(SPOT, 300.0, 420.0))
    plain = watch(furnace_with(1, FEW, 0, (), nuisances=False), 0, 600)
    shown = watch(furnace_with(1, FEW, 0, planned, nuisances=False), 0, 600)

    np.testing.assert_array_equal(plain.times_s, shown.times_s)
    video = (plain.video != shown.video).any(axis=(1, 2))
    random = (plain.random != shown.random).any(axis=(1, 2))
    np.testing.assert_array_equal(video, random)
    current = (plain.current != shown.current).any(axis=(1, 2))
    before, within = plain.times_s < 300, (plain.times_s > 320) & (plain.times_s < 420)
    assert not video[before].any()
    assert not current[before].any()
    assert video[within].all()
    assert current[within].all()


class Brightness:
    """An ensemble that tells how bright a window's newest frame is, and its newest current."""

    asked: list[tuple[tuple[int, ...], str]]

    def __init__(self) -> None:
        self.asked = []

    def logits(self, clips, currents, state):
        self.asked.append((clips.shape[1:], state))
        return clips[:, -1].mean(axis=(1, 2, 3)) + 1000 * currents[:, -1, 0]


def test_the_ensemble_is_asked_about_each_window_as_it_is_served() -> None:
    furnace = furnace_with(1, FEW, 0, (), nuisances=False)
    times_s = np.arange(1, 40) * HOP_S
    ensemble = Brightness()

    logits = served_logits(furnace, times_s, ensemble)

    ends_ns = np.array([at_ns(each) for each in times_s])
    sample_ns = ends_ns // 500_000_000 * 500_000_000
    newest = furnace.frames(ends_ns).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(logits, newest + 1000 * furnace.currents(sample_ns)[:, 0], rtol=1e-6)
    assert set(ensemble.asked) == {((10, 64, 64, 3), "both")}


def test_a_frozen_member_gives_its_newest_token_of_each_patch() -> None:
    member = Member(replace(study_model("a").spec, width=24, depth=1))
    furnace = furnace_with(1, FEW, 0, (), nuisances=False)
    times_s = np.arange(1, 40) * HOP_S

    tokens = member_tokens(furnace, times_s, FrozenMember(member))

    assert tokens.shape == (39, 64, 24)
    back_ns = np.arange(9, -1, -1) * PUBLISHED_SPEC.frame_stride_ns
    clip = furnace.frames(at_ns(times_s[-1]) - back_ns)
    changed = clip.copy()
    changed[-1, 8:16, :8] = 255 - changed[-1, 8:16, :8]
    currents = np.full((1, 240, 3), 6500, np.float32)
    one, other = (FrozenMember(member).tokens(each[None], currents)[0] for each in (clip, changed))
    assert np.abs(one - other).max(axis=1).argmax() == 8


def test_tokens_that_change_are_a_surprise_and_more_so_than_those_that_do_not() -> None:
    rng = np.random.default_rng(1)
    fit = watch(furnace_with(1, FEW, 0, (), nuisances=False), 0, 3600)
    tokens = rng.normal(size=(len(fit.times_s), 64, 30))
    own = portrayed(fit)
    calm = of_tokens(own, fit.times_s, tokens, fit, tokens)
    tokens_later = tokens.copy()
    tokens_later[200:, 10:14] += 30.0

    wild = of_tokens(own, fit.times_s, tokens, fit, tokens_later)

    np.testing.assert_array_equal(wild[:200], calm[:200])
    assert np.median(wild[250:]) > 4 > np.median(calm[250:])


def test_a_repository_that_is_not_there_is_one_line(tmp_path) -> None:
    with pytest.raises(RepositoryError, match="--repository: expected a model repository"):
        unseen(options=UnseenOptions(repository=tmp_path))


def test_recall_and_false_alarms_are_counted() -> None:
    seen = [surprised(number, {"leak", SPOT}) for number in range(5)]
    calm = contender_verdict([*seen, surprised(5, {SPOT})], (VIDEO_ALONE,), judged_kinds())
    seen.append(surprised(5, {SPOT}, false_at_s=(JUDGED_S[0],)))

    verdict = contender_verdict(seen, (VIDEO_ALONE,), judged_kinds())

    leaks = sum(each.kind == "leak" for furnace in seen for each in furnace.planned)
    missed = sum(each.kind == "leak" for each in seen[5].planned)
    assert verdict.recall["leak"].value == pytest.approx(1 - missed / leaks)
    assert verdict.recall[SPOT].value == 1.0
    assert verdict.recall["glow"].value == 0.0
    assert verdict.mean_recall.value == pytest.approx(verdict.recall["leak"].value / 6)
    assert verdict.false_alarms == calm.false_alarms + 1
    assert 0.6 < verdict.days < 1.0
    low, high = verdict.false_per_day.low, verdict.false_per_day.high
    assert low < verdict.false_alarms / verdict.days < high
    assert verdict.bases[0].budget == BUDGET.false_alarms


def test_the_threshold_knows_nothing_of_the_judged_hours() -> None:
    seen = [surprised(number, {"leak"}) for number in range(6)]
    other = [surprised(number, set(judged_kinds())) for number in range(6)]

    assert (
        contender_verdict(seen, (VIDEO_ALONE,), judged_kinds()).bases[0].logit_on
        == contender_verdict(other, (VIDEO_ALONE,), judged_kinds()).bases[0].logit_on
    )


def test_a_portrait_that_nothing_fits_any_more_calls_itself_stale() -> None:
    seen = surprised(1, set())
    seen.surprises[VIDEO_ALONE][AFTERMATH_S[0] < TIMES_S] = 2.5

    bases = contender_verdict([seen, surprised(2, set())], SIDES, judged_kinds()).bases
    after = aftermath_verdict([seen], SIDES, bases, "bump")

    assert after.furnaces == 1
    assert after.stale == 1
    assert 8 < after.stale_after_min < 10
    assert after.raised <= 1
    assert aftermath_verdict([surprised(1, set())], SIDES, bases, "bump").stale == 0


def test_tables_and_document_say_what_was_found() -> None:
    seen = [surprised(number, {"leak"}) for number in range(6)]
    verdicts = commands.judge_set(seen)
    stayed = commands.aftermaths(seen, verdicts)

    text = commands.unseen_tables(FEW, verdicts, stayed)
    found = json.loads(commands.unseen_document(verdicts, stayed))

    assert text.startswith("**Simulated**")
    assert "glow (closed)" in text
    assert "leak |" in text
    assert found["simulated"] is True
    assert found["contenders"][commands.PORTRAIT]["recall"]["leak"]["value"] == 1.0
    assert set(found["stays"]) == {"dirt", "bump", "tint"}


def test_a_contender_without_a_threshold_says_why() -> None:
    seen = [
        FurnaceSurprises(n, (), TIMES_S, dict.fromkeys(ALL_SIDES, np.zeros(len(TIMES_S))))
        for n in range(2)
    ]

    verdicts = commands.judge_set(seen)

    assert not isinstance(verdicts[commands.PORTRAIT], ContenderVerdict)
    assert "expected normal windows that differ" in commands.unseen_tables(FEW, verdicts, {})


def test_a_folder_that_cannot_be_is_one_line(tmp_path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UnwritableError, match="--to: expected a folder"):
        commands.JudgedSet("unseen", "", "{}").write(tmp_path / "file" / "folder")


def test_a_set_that_is_not_there_is_named_by_its_option() -> None:
    with pytest.raises(TrainerError, match=r"--set: expected unseen, .* got other"):
        unseen(options=UnseenOptions(sets=["other"]))


def test_what_a_window_costs_is_measured() -> None:
    cost = commands.window_cost()

    assert 0 < cost.median <= cost.high
    assert f"costs {cost.median:.2f} ms" in cost.line
