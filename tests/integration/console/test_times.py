"""Times in the plant's zone: the same instants everywhere, and a night of summer time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.console.scene import FURNACES, Scene, wait_rows

pytestmark = [pytest.mark.integration, pytest.mark.browser]
SHOWN = """([zone, instants]) => import("./app/text.js").then(({ clock, moment, speak, zoned }) => {
  speak("en", zone);
  return instants.map((ms) => [clock(ms), moment(ms, ms), zoned(ms)]);
})"""


@pytest.fixture(scope="module")
def scene(kafka, chromium, tmp_path_factory) -> Iterator[Scene]:
    with Scene(kafka, tmp_path_factory.mktemp("scene"), chromium) as made:
        made.forge.raised(f"{FURNACES[0]}/OVERHEAT")
        made.forge.flush()
        yield made


def page_in(scene: Scene, zone: str, language: str = "en"):
    """Return who looks at the page of a plant in a zone."""
    eye = scene.look()
    me = {"user": "li", "role": "operate", "auth": "proxy", "time_zone": zone, "language": language}
    eye.page.route("**/api/v1/me", lambda route: route.fulfill(json=me))
    eye.page.reload()
    eye.wait_live()
    wait_rows(eye, 1)
    return eye


def test_shanghai_and_utc_show_the_same_instant_each_in_its_own_words(scene):
    told = {}
    for zone in ("UTC", "Asia/Shanghai"):
        eye = page_in(scene, zone)
        time = eye.page.locator(".row time")
        told[zone] = (time.get_attribute("datetime"), time.inner_text(), eye.says(".clock"))
    (utc, here, clock), (same, there, far) = told["UTC"], told["Asia/Shanghai"]
    assert utc == same, "the title and what programs read is UTC"
    instant = datetime.fromisoformat(utc)
    assert here == f"{instant:%H:%M}"
    local = instant + timedelta(hours=8)
    assert there.removeprefix(f"{local:%-d %b} ") == f"{local:%H:%M}"
    assert clock.endswith(" UTC")
    assert far.endswith(" +08")


def test_the_night_in_which_summer_time_ends_shows_each_instant_once(scene):
    eye = page_in(scene, "Europe/Berlin")
    midnight = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    instants = [(midnight + timedelta(minutes=30 * n)).timestamp() * 1_000 for n in range(12)]
    clocks, moments, zoned = zip(
        *eye.page.evaluate(SHOWN, ["Europe/Berlin", instants]), strict=True
    )
    assert len(set(clocks)) == len(set(moments)) == len(set(zoned)) == len(instants)
    assert moments[:9] == (
        "00:00", "00:30", "01:00", "01:30", "02:00 +02", "02:30 +02", "02:00 +01", "02:30 +01",
        "03:00",
    )  # fmt: skip
    assert zoned[4] == "02:00:00 +02"


def test_the_night_in_which_summer_time_begins_leaves_an_hour_out(scene):
    eye = page_in(scene, "Europe/Berlin")
    one = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    instants = [(one + timedelta(hours=n)).timestamp() * 1_000 for n in range(2)]
    shown = eye.page.evaluate(SHOWN, ["Europe/Berlin", instants])
    assert [clock for clock, *_ in shown] == ["01:30:00", "03:30:00"]
