"""Translation and alignment: what they learn, from which hours, and what the command keeps."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from meltwatch_core.portraits import fit_law
from meltwatch_simulator.coupled import BREAKS
from meltwatch_trainer.__main__ import rivals
from meltwatch_trainer.errors import ScoresError, TrainerError, UnwritableError
from meltwatch_trainer.rivals import adaptors, kept_furnaces, rival_sides
from meltwatch_trainer.rivals import rival_commands as commands
from meltwatch_trainer.rivals.adaptors import fit_alignment, fit_translator
from meltwatch_trainer.rivals.kept_furnaces import KeptFurnaces
from meltwatch_trainer.rivals.one_sided import GAP_STEPS, PatchFlow, fit_flow, fit_gap_filler
from meltwatch_trainer.rivals.options import RivalOptions
from meltwatch_trainer.rivals.rival_sets import RIVAL_SETS
from meltwatch_trainer.rivals.rival_sides import RivalSurprises
from meltwatch_trainer.unseen.contenders import CURRENTS_ALONE, VIDEO_ALONE, FurnaceSurprises
from meltwatch_trainer.unseen.happenings import JUDGED_S, SPOT, THRESHOLD_S
from meltwatch_trainer.unseen.watching import HOP_S, SeenWindows

FEW = RIVAL_SETS["coupled"].cut(4)
PLACES, SHADES = 6, 5
TIMES_S = np.arange(THRESHOLD_S[0], JUDGED_S[1], HOP_S) + HOP_S


def windows(count: int, coupling: float, seed: int = 1) -> SeenWindows:
    """Windows of which one shade of half of the patches follows one number of the currents."""
    rng = np.random.default_rng(seed)
    current = rng.normal(size=(count, 1, 7))
    video = rng.normal(size=(count, PLACES, SHADES))
    video[:, :3, 0] += coupling * current[:, :, 2]
    series = rng.normal(size=(count, 30, 3)).cumsum(axis=1)
    return SeenWindows(np.arange(count) * HOP_S, video, current, video, series)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), read=st.integers(1, 6), said=st.integers(1, 6))
def test_a_translator_recovers_a_linear_map(seed: int, read: int, said: int) -> None:
    rng = np.random.default_rng(seed)
    heard = rng.normal(3.0, 2.0, size=(200, read))
    spoken = heard @ rng.normal(size=(read, said)) + rng.normal(size=said)

    translator = fit_translator(heard[:150], spoken[:150], ridge=0.0)

    np.testing.assert_allclose(translator.translate(heard[150:]), spoken[150:], atol=1e-4)


def test_a_ridge_prefers_small_weights_and_says_the_usual_of_noise() -> None:
    rng = np.random.default_rng(2)
    noise, spoken = rng.normal(size=(50, 40)), rng.normal(5.0, 1.0, size=(50, 3))
    plain, ridged = (fit_translator(noise, spoken, ridge) for ridge in (0.0, 1.0))

    later = rng.normal(size=(500, 40))
    assert (
        np.abs(ridged.translate(later) - 5).mean() < 0.5 * np.abs(plain.translate(later) - 5).mean()
    )


def test_an_alignment_finds_in_what_both_agree_and_where() -> None:
    seen = windows(4000, coupling=2.0)
    found = fit_alignment(seen.video, seen.current, count=2)

    # The correlation of x + 2 y with y, of independent unit deviations.
    np.testing.assert_allclose(found.agreement[:3, 0], 2 / np.sqrt(5), atol=0.05)
    assert found.agreement[3:, 0].max() < 0.15
    assert found.agreement[:, 1].max() < 0.15


@pytest.mark.parametrize("coupling", [0.5, 2.0])
def test_what_agrees_stays_together_and_what_breaks_comes_apart(coupling: float) -> None:
    before, later = windows(4000, coupling), windows(2000, coupling, seed=9)
    found = fit_alignment(before.video, before.current, count=1)

    together = found.disagreement(later.video, later.current)
    apart = found.disagreement(later.video, later.current[::-1])

    # What is left of x + c y once y is known, and what is added by another y.
    share = coupling**2 / (1 + coupling**2)
    spread, torn = (each[:, :3, 0].std() for each in (together, apart))
    assert spread == pytest.approx(np.sqrt(1 - share), abs=0.03)
    assert torn == pytest.approx(np.sqrt(1 + share), abs=0.06)


def test_adaptors_do_not_see_what_the_portrait_holds_out() -> None:
    seen = windows(300, coupling=2.0)
    other = windows(300, coupling=-5.0, seed=7)
    kept = adaptors.fitted_count(300)
    for name in ("video", "current"):
        getattr(other, name)[:kept] = getattr(seen, name)[:kept]
    probe = windows(50, coupling=1.0, seed=3)

    one, two = adaptors.fit_adaptors(seen), adaptors.fit_adaptors(other)

    for told in ("translation", "disagreement", "told_video", "told_current"):
        np.testing.assert_array_equal(getattr(one, told)(probe), getattr(two, told)(probe))
    assert (one.translation(probe) != probe.video).any()


def test_the_share_that_currents_predict_is_of_hours_that_taught_nothing() -> None:
    before, later = windows(2000, coupling=3.0), windows(1000, coupling=3.0, seed=8)
    apart = windows(1000, coupling=0.0, seed=8)
    found = adaptors.fit_adaptors(before)

    # One of five shades of the mean patch: its noise has a sixth of a variance, its signal 9 / 4.
    assert adaptors.explained(found, later) == pytest.approx(0.2 * 2.25 / (2.25 + 1 / 6), abs=0.06)
    assert adaptors.explained(found, apart) < 0


def test_only_what_looks_at_both_is_surprised_by_a_broken_coupling() -> None:
    before, seen = windows(1500, coupling=3.0), windows(400, coupling=3.0, seed=5)
    broken = slice(200, 260)
    seen.current[broken, :, 2] = np.abs(seen.current[broken, :, 2]) + 0.5
    seen.video[broken, :3, 0] = -3 * seen.current[broken, :, 2]

    found = rival_sides.side_surprises(before, seen)

    late = slice(230, 260)
    for side in (rival_sides.TRANSLATED, rival_sides.ALIGNED):
        assert found[side][late].mean() > 3
        assert found[side][:200].mean() < 1
    for side in (VIDEO_ALONE, CURRENTS_ALONE):
        assert found[side][late].mean() < 2


def test_every_law_learns_from_the_older_hours_and_its_scale_from_the_held_out(monkeypatch) -> None:
    before, seen = windows(600, coupling=3.0), windows(200, coupling=3.0, seed=5)
    kept = adaptors.fitted_count(600)
    learned = []

    def counted(fit):
        def counting(features):
            learned.append(len(features))
            return fit(features)

        return counting

    for name in ("fit_law", "fit_flow", "fit_gap_filler"):
        monkeypatch.setattr(rival_sides, name, counted(getattr(rival_sides, name)))
    calm = rival_sides.side_surprises(before, seen)
    before.video[kept:] *= 3
    before.series[kept:] *= 3
    wild = rival_sides.side_surprises(before, seen)

    assert set(learned) == {kept}
    for side in (rival_sides.TRANSLATED, rival_sides.FLOW, rival_sides.GAPS_FILLED):
        assert wild[side].mean() < 0.5 * calm[side].mean()


def test_a_flow_that_has_learned_nothing_is_the_portraits_own_law() -> None:
    seen = windows(300, coupling=2.0)

    np.testing.assert_allclose(
        fit_flow(seen.video, epochs=0).levels(seen.video),
        fit_law(seen.video).levels(seen.video),
        atol=1e-4,
    )


def test_a_flow_learns_what_no_gaussian_knows() -> None:
    """One number is the square of another: on the bow all is usual, off it nothing is."""
    rng = np.random.default_rng(4)
    bow = rng.normal(size=(2000, 2, 4))
    bow[..., 2] = bow[..., 0] ** 2 + 0.1 * rng.normal(size=(2000, 2))
    off = bow[:200].copy()
    off[..., 2] = 2.0 - off[..., 2]

    flow, gaussian = fit_flow(bow, epochs=30), fit_law(bow)

    def apart(law) -> float:
        return float(np.median(law.levels(off)) - np.median(law.levels(bow)))

    assert apart(flow) > apart(gaussian) + 1
    np.testing.assert_array_equal(flow.levels(off), fit_flow(bow, epochs=30).levels(off))


def test_to_shrink_everything_is_no_learning() -> None:
    flow = PatchFlow(places=1, numbers=4)
    usual = torch.from_numpy(np.random.default_rng(3).normal(size=(4000, 4)).astype(np.float32))
    place = torch.zeros(len(usual), dtype=torch.long)

    def loss(log_scale: float) -> float:
        torch.nn.init.constant_(flow.log_scale, log_scale)
        return flow.loss(usual, place).item()

    assert loss(0.0) < min(loss(-0.3), loss(0.3))


def test_a_gap_that_the_rest_tells_is_filled_and_one_that_it_belies_is_missed() -> None:
    rng = np.random.default_rng(6)
    ramps = rng.normal(size=(3000, 1, 1)) * np.linspace(1, 2, 30)[None, :, None] * np.ones(3)
    ramps += 0.05 * rng.normal(size=ramps.shape)
    filler = fit_gap_filler(ramps[:2000])
    later, newest = ramps[2000:], slice(-GAP_STEPS, None)
    broken = later.copy()
    broken[:, newest] *= -1

    assert filler.misses(later).std() < 0.1
    assert np.abs(filler.misses(broken)[:, 0]).mean() > 1
    # What a gap shows is hidden while it is filled: the miss grows by just as much.
    moved = later.copy()
    moved[:, newest] += 3.0
    np.testing.assert_allclose(
        filler.misses(moved)[:, 0] - filler.misses(later)[:, 0], 3.0, atol=1e-9
    )


def test_the_side_that_was_calm_leads_and_nothing_ahead_is_asked() -> None:
    calm, upset = np.zeros(200), np.full(200, 3.0)
    calm[150:] = 4.0

    led = rival_sides.leading(upset, calm)

    assert led[100] == pytest.approx(3 / 4)
    assert led[150] == pytest.approx(4.0)
    np.testing.assert_array_equal(led[:120], rival_sides.leading(upset[:120], calm[:120]))


def surprised(number: int, shows: set[str]) -> RivalSurprises:
    """A furnace of which the aligned side is surprised by some kinds, and nothing else is."""
    planned = FEW.plan(1, number)
    rng = np.random.default_rng(number)
    sides = {side for sides in commands.CONTENDERS.values() for side in sides}
    found = {side: rng.exponential(0.4343, len(TIMES_S)) for side in sorted(sides)}
    for each in planned:
        if each.kind in shows:
            within = (each.start_s <= TIMES_S) & (each.end_s > TIMES_S)
            found[rival_sides.ALIGNED][within] = 9.0
    return RivalSurprises(FurnaceSurprises(number, planned, TIMES_S, found), 0.1 * number**2)


def test_each_kind_happens_on_a_coupled_furnace_and_stands_in_the_table() -> None:
    kinds = {each.kind for each in FEW.plan(1, 0)}
    assert kinds == set(FEW.kinds) == {*BREAKS, "leak", SPOT}


def test_a_row_is_held_against_the_portrait_on_the_same_furnaces() -> None:
    seen = [surprised(number, {"light without power"}) for number in range(4)]
    verdicts = commands.judge_rivals(seen, FEW.kinds)
    portrait, aligned = (
        verdicts[name] for name in (commands.PORTRAIT, "portrait and alignment (LSFA)")
    )

    gain = aligned.gain_over(portrait)
    assert gain.value == pytest.approx(aligned.mean_recall.value - portrait.mean_recall.value)
    assert gain.value == pytest.approx(1 / 5, abs=0.05)
    assert gain.excludes_zero
    assert portrait.gain_over(portrait).value == portrait.gain_over(portrait).high == 0

    share = commands.explained_share(seen)
    text = commands.rivals_table(FEW, verdicts, share)
    document = json.loads(commands.rivals_document(verdicts, share))
    assert text.startswith("**Simulated**: 4 furnaces of the set `coupled`")
    assert "predict 0.25 [" in text
    assert len(document["contenders"]) == len(commands.CONTENDERS) == text.count("\n") - 3
    assert document["explained"]["value"] == pytest.approx(0.25)


def test_what_was_seen_is_kept_and_not_looked_at_again(tmp_path, monkeypatch) -> None:
    looked = []

    def look(_seed: int, _judged: object, number: int) -> RivalSurprises:
        looked.append(number)
        return surprised(number, {SPOT})

    monkeypatch.setattr(kept_furnaces, "rival_surprises", look)
    kept = KeptFurnaces(tmp_path, 1, FEW)

    first, again = (kept.furnace(kept.folder, 2) for _ in range(2))

    assert looked == [2]
    assert again.explained == first.explained
    assert again.surprises.planned == first.surprises.planned
    assert set(again.surprises.surprises) == set(first.surprises.surprises)
    for side, values in first.surprises.surprises.items():
        np.testing.assert_array_equal(again.surprises.surprises[side], values)


def test_by_other_code_or_another_seed_it_is_looked_at_again(tmp_path, monkeypatch) -> None:
    kept = KeptFurnaces(tmp_path, 1, FEW)
    before = kept.folder

    assert replace(kept, seed=2).folder != before
    assert replace(kept, judged=RIVAL_SETS["coupled"].cut(3)).folder == before
    (tmp_path / "other.py").write_text("pass\n")
    monkeypatch.setattr(kept_furnaces, "_MADE_BY", (tmp_path,))
    assert kept.folder != before


def test_a_torn_file_and_a_folder_that_cannot_be_are_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(kept_furnaces, "rival_surprises", lambda *_: surprised(2, set()))
    kept = KeptFurnaces(tmp_path, 1, FEW)
    (tmp_path / "furnace-0001.npz").write_bytes(b"PK torn")
    (tmp_path / "file").write_text("")

    with pytest.raises(ScoresError, match=r"furnace-0001.npz: expected what was seen"):
        kept.furnace(tmp_path, 1)
    with pytest.raises(UnwritableError, match="--work: expected a folder"):
        kept.furnace(tmp_path / "file" / "folder", 2)


def test_a_set_that_is_not_there_is_named_by_its_option() -> None:
    with pytest.raises(TrainerError, match=r"--set: expected coupled, .* got other"):
        rivals(options=RivalOptions(sets=["other"]))
