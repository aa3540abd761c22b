"""Sound calls an operator, and only for what an operator is called for."""

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.browser]
FURNACE = "demo/smelting-1/FMF-01"
COUNTED = """
  window.tones = [];
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...given) {
    window.tones.push(this.frequency.value);
    return start.apply(this, given);
  };
"""
EVERY_15_S = """
  const real = performance.now.bind(performance);
  window.aheadMs = 0;
  performance.now = () => real() + window.aheadMs;
"""


@pytest.fixture
def eye(make_console, forge, look):
    made = look(make_console([FURNACE]))
    made.page.add_init_script(COUNTED + EVERY_15_S)
    made.page.reload()
    made.wait_live()
    return made


def heard(eye) -> list[float]:
    return eye.page.evaluate("window.tones")


def turn_on(eye) -> None:
    eye.page.locator("button.sound").click()
    eye.until("window.tones.length > 0", "it says that it can be heard")
    eye.page.evaluate("window.tones.length = 0")


def test_nothing_sounds_until_somebody_asks_for_it(eye, forge):
    forge.raised(f"{FURNACE}/OVERHEAT", "critical")
    eye.wait(".row")
    assert heard(eye) == []
    assert eye.page.locator("button.sound").get_attribute("aria-pressed") == "false"
    eye.page.locator("button.sound").click()
    eye.until("window.tones.length === 4", "what waits already is called at once")
    eye.page.locator("button.sound").click()
    eye.until("document.querySelector('.sound').ariaPressed === 'false'", "off again")


def test_each_priority_has_its_own_tone_and_what_calls_nobody_has_none(eye, forge):
    turn_on(eye)
    tones = {}
    for priority in ("low", "medium", "high"):
        forge.raised(f"{FURNACE}/{priority}", priority)
        eye.until("window.tones.length > 0", priority)
        tones[priority] = heard(eye)
        eye.page.evaluate("window.tones.length = 0")
    assert len({tuple(each) for each in tones.values()}) == 3

    for name, changes in {
        "advisory": {"mode": "advisory"}, "shadow": {"mode": "shadow"},
        "silent": {"audible": False},
    }.items():  # fmt: skip
        forge.raised(f"{FURNACE}/{name}", "critical", **changes)
    forge.state(f"{FURNACE}/shelved", "SHLVD", "critical")
    forge.state(f"{FURNACE}/seen", "ACKED", "critical")
    forge.raised(f"{FURNACE}/last", "low", title="the last one")
    eye.wait(".row", "the last one")
    eye.until("window.tones.length > 0", "the last one")
    assert heard(eye) == tones["low"]


def test_a_critical_alarm_calls_again_until_it_is_acknowledged(eye, forge):
    turn_on(eye)
    forge.raised(f"{FURNACE}/OVERHEAT", "critical", occurrence_id="o1")
    eye.until("window.tones.length === 4", "the first call")
    eye.page.evaluate("window.aheadMs += 15000")
    eye.until("window.tones.length === 8", "the second call")
    forge.state(f"{FURNACE}/OVERHEAT", "ACKED", "critical", occurrence_id="o1")
    eye.wait(".row .state", "seen")
    eye.page.evaluate("window.aheadMs += 60000; window.tones.length = 0")
    forge.raised(f"{FURNACE}/last", "low")
    eye.until("window.tones.length > 0", "the last one")
    assert len(heard(eye)) == 1, "what was acknowledged is silent"


def test_the_page_says_when_the_browser_keeps_it_mute(eye):
    # What an evaluation returns is called if it is a function, so this one returns nothing.
    eye.page.evaluate(
        "void (AudioContext.prototype.resume = () => Promise.reject(new Error('no')))"
    )
    eye.page.evaluate(
        "Object.defineProperty(AudioContext.prototype, 'state', {get: () => 'suspended'})"
    )
    eye.page.locator("button.sound").click()
    eye.wait("button.sound", "the browser keeps it mute")
