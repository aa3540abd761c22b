"""What an operator sees on the plant page, in a real browser on real Kafka."""

import numpy as np
import pytest

from tests.integration.console.furnace_forge import FURNACE, told, wait_for_scores
from tests.integration.console.onlooker import colourful, enclosed

pytestmark = [pytest.mark.integration, pytest.mark.browser]
AREA = "demo/smelting-1"
FURNACES = [f"{AREA}/FMF-{number:02}" for number in range(1, 9)]
THOUSAND = [f"demo/area-{area:02}/FMF-{n:03}" for area in range(10) for n in range(100)]
HOSTILE = '<script>alert(1)</script> "quoted" & \u0645\u0631\u062d\u0628\u0627 ' + "x" * 440
ORANGE = "▲2"


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("width", [1920, 390])
def test_a_plant_without_an_alarm_has_no_colour(make_console, forge, look, theme, width):
    eye = look(make_console(FURNACES), width, color_scheme=theme)
    eye.wait_live()
    eye.wait(".none", "No alarm stands.")

    assert not colourful(eye.picture()).any()

    forge.raised(f"{FURNACES[2]}/OVERHEAT")
    eye.wait(".row")
    assert colourful(eye.picture()).any(), "the test can fail"


def test_the_first_screen_of_an_alarm_says_what_to_do_without_a_click(make_console, forge, look):
    eye = look(make_console(FURNACES))
    eye.wait_live()
    forge.raised(f"{FURNACES[2]}/OVERHEAT", ago_s=20)
    eye.wait(".row.open")

    row = eye.says(".row.open")
    for said in (
        "▲2 NEW", "smelting-1 / FMF-03", "Lower the electrode current.", "4 min", "left",
        "The shell burns through.", "alarm from 2.0", "inputs good", "all 2 models over the limit",
    ):  # fmt: skip
        assert said in row
    assert "high 1, 1 new" in eye.says("#banner")
    assert ORANGE in eye.says(".tile.new")


@pytest.mark.parametrize("width", [1920, 390])
def test_the_first_screen_shows_what_the_camera_saw_with_the_spot_outlined(
    make_console, forge, look, furnace, width
):
    console = make_console(FURNACES)
    wait_for_scores(console, furnace)
    loud = furnace.loud()
    forge.raised(f"{FURNACE}/OVERHEAT", **told(loud))
    eye = look(console, width)
    eye.wait_live()
    eye.wait(".row.open .frame")

    pixels = furnace.pixels(loud.frames[-1].event_ns)
    np.testing.assert_array_equal(eye.pixels_of(".row.open .frame"), pixels)
    outline = eye.page.locator(".row.open .outline").get_attribute("d")
    np.testing.assert_array_equal(enclosed(outline), loud.anomaly_map >= 127.5)
    row = eye.says(".row.open")
    for said in ("▲2 NEW", "FMF-01", "Lower the electrode current.", "left", "Spot ",
                 "% of the picture", "score 9.7", "alarm from 2.9", "inputs good"):  # fmt: skip
        assert said in row
    eye.wait(".row.open .evidence .lacks", "s old")  # its newest score ended a while ago
    bottom = "node => node.getBoundingClientRect().bottom"
    for part in (".do", ".left", ".sight", ".evidence"):
        place = eye.page.locator(f".row.open {part}")
        assert place.evaluate(bottom) <= eye.page.viewport_size["height"], "without scrolling"


def test_a_novelty_outlines_the_patch_that_is_most_unlike_the_portrait(
    make_console, forge, look, furnace
):
    console = make_console(FURNACES)
    wait_for_scores(console, furnace)
    loud = told(furnace.loud())
    seen = {"portrait": "a" * 64, "video": 4.25, "current": 0.5, "row": 1, "column": 5}
    loud["evidence"] |= {
        "score": None, "novelty": seen, "novelty_on": 3.0, "novelty_off": 2.5
    }  # fmt: skip
    forge.raised(f"{FURNACE}/NOVELTY", "low", mode="advisory", **loud)
    eye = look(console)
    eye.wait_live()
    eye.wait(".row.open .frame")

    outline = eye.page.locator(".row.open .outline").get_attribute("d")
    patch = np.zeros((64, 64), bool)
    patch[8:16, 40:48] = True
    np.testing.assert_array_equal(enclosed(outline), patch)
    row = eye.says(".row.open")
    for said in (
        "advisory", "Most unlike its own normal operation: upper right.", "surprise 4.3",
        "alarm from 3.0, clears below 2.5", "picture 4.3, upper right", "currents 0.5",
    ):  # fmt: skip
        assert said in row


EVIDENCE_WHILE_TRITON_IS_AWAY = """async (limits) => {
    const { fillEvidence } = await import("/app/evidence.js");
    const { UNSCORED } = await import("/app/state.js");
    const furnace = { id: "hall/F", index: 0 };
    const score = { score: null, flags: UNSCORED, endMs: 1_000 };
    const [furnaces, scores] = [new Map([[0, furnace]]), new Map([[0, score]])];
    const store = { furnaces, scores, now: () => 2_000 };
    const evidence = { threshold: 2, threshold_off: 1, ...limits };
    const trust = { quality: "good", quality_reasons: [] };
    const alarm = { class: "process", equipment_path: furnace.id, evidence, ...trust };
    const root = document.createElement("div");
    fillEvidence(root, { store }, alarm);
    return root.querySelector(".lacks").textContent;
}"""


def test_what_no_model_judges_goes_on_being_judged_while_triton_is_away(make_console, forge, look):
    eye = look(make_console(FURNACES))
    eye.wait_live()
    by_portrait = {"novelty_on": 3, "novelty_off": 2}
    by_meter = {"imbalance_on": 0.3, "imbalance_off": 0.2}
    said = [
        eye.page.evaluate(EVIDENCE_WHILE_TRITON_IS_AWAY, limits)
        for limits in ({}, by_portrait, by_meter)
    ]
    assert said == ["not judged", "", ""]


def test_an_alarm_whose_frames_are_gone_says_so(make_console, forge, look):
    eye = look(make_console(FURNACES))
    eye.wait_live()
    forge.raised(f"{FURNACE}/OVERHEAT")
    eye.wait(".row.open .sight", "no picture")

    assert not eye.page.locator(".row.open .frame").is_visible()


def test_one_alarm_among_a_thousand_furnaces_is_seen_at_once(make_console, forge, look):
    alarmed = THOUSAND[637]
    eye = look(make_console(THOUSAND))
    eye.wait_live()
    forge.raised(f"{alarmed}/OVERHEAT")
    eye.wait(".tile.new")

    assert "area-06 / FMF-037" in eye.says(".row.open")
    assert "high 1, 1 new" in eye.says("#banner")
    box = "(({width, height, bottom}) => [width, height, bottom])(each.getBoundingClientRect())"
    boxes = eye.page.eval_on_selector_all(".tile", f"all => all.map(each => {box})")
    assert len(boxes) == 1_000
    assert min(min(width, height) for width, height, _ in boxes) >= 24
    assert max(bottom for *_, bottom in boxes) <= 1_080, "all of them without scrolling"
    assert ORANGE in eye.says(".tile.new")
    hue = colourful(eye.picture(".plant"))
    rows, columns = np.nonzero(hue)
    assert len(rows) > 0
    assert np.ptp(rows) < 40, "one tile alone has a hue"
    assert np.ptp(columns) < 50
    stops = eye.page.eval_on_selector_all(
        ".tile", "all => all.filter(each => each.tabIndex >= 0).length"
    )
    assert stops == 1, "a thousand tiles are one tab stop"


def test_whatever_a_record_says_is_shown_as_text(make_console, forge, look):
    eye = look(make_console(FURNACES))
    eye.wait_live()
    evil = {
        "title": HOSTILE,
        "transition": {
            "from": "NORM", "to": "UNACK", "cause": "COMMENT", "by": '"><img src=x>',
            "comment": HOSTILE,
        },
        "guidance": {
            "consequence": HOSTILE, "action": HOSTILE, "time_to_respond_s": 300,
            "url": "javascript:alert(1)",
        },
    }  # fmt: skip
    forge.state(f"{FURNACES[0]}/OVERHEAT", "ACKED", ack_by='<b onclick="x()">li</b>', **evil)
    eye.wait(".row.open")

    said = eye.says(".row.open")
    assert said.count("<script>alert(1)</script>") >= 4
    assert '<b onclick="x()">li</b>' in said
    assert (
        eye.page.locator(
            ".row script, .row img:not(.frame), .row b b, .row a[href^=javascript]"
        ).count()
        == 0
    )
    assert eye.page.evaluate("document.documentElement.scrollWidth") <= 1920, "nothing sticks out"


def test_new_alarms_do_not_move_the_row_that_has_the_focus(make_console, forge, look):
    eye = look(make_console(FURNACES))
    eye.wait_live()
    forge.raised(f"{FURNACES[0]}/OVERHEAT", "low")
    eye.wait(".row")
    eye.page.locator(".row").first.focus()
    before = eye.page.evaluate("document.activeElement.getBoundingClientRect().top")
    for furnace in FURNACES[1:4]:
        forge.raised(f"{furnace}/OVERHEAT", "critical")
    eye.until("document.querySelectorAll('.row').length === 4", "4 rows")

    assert "FMF-01" in eye.page.evaluate("document.activeElement.textContent")
    eye.wait(".above", "3 new above")
    assert before > 0
    eye.page.locator(".above").click()
    assert "FMF-0" in eye.page.evaluate("document.activeElement.textContent")
