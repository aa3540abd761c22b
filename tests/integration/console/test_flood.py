"""Twenty furnaces raise within ten seconds: grouped, in reach, and nothing jumps."""

import pytest
from meltwatch_schemas.alarm_command import AlarmCommand
from meltwatch_schemas.topics import Topic

from tests.integration.console.scene import wait_rows
from tests.support.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.integration, pytest.mark.browser]
FURNACES = [f"demo/area-{n % 3}/FMF-{n:02}" for n in range(20)]


def test_a_flood_is_said_and_grouped_and_each_alarm_can_be_acknowledged(
    broker, make_console, forge, look
):
    eye = look(make_console(FURNACES))
    eye.wait_live()
    records = [forge.raised(f"{FURNACES[0]}/OVERHEAT", ago_s=60)]
    wait_rows(eye, 1)
    row = eye.page.locator(".row").first
    row.focus()
    place = row.bounding_box()
    records += [
        forge.raised(f"{furnace}/OVERHEAT", ago_s=40 - number / 2)
        for number, furnace in enumerate(FURNACES[1:])
    ]
    forge.flush()
    eye.wait(".flood", "flood: 20 in 10 min")
    wait_rows(eye, 20)

    assert "FMF-00" in eye.page.evaluate("document.activeElement.textContent")
    assert row.bounding_box() == place or eye.page.locator(".above").is_visible()
    assert eye.page.locator(".row", has=eye.page.locator(".first-out")).count() == 1
    assert "FMF-00" in eye.says(".row:has(.first-out)")
    areas = eye.page.eval_on_selector_all(
        ".row .where", "all => all.map(each => each.textContent.split(' ')[0])"
    )
    runs = [area for number, area in enumerate(areas) if number == 0 or areas[number - 1] != area]
    assert len(runs) == 3, "each area stands together"

    for number in range(20):
        eye.page.locator(".row").nth(number).focus()
        eye.press("a")
        eye.page.wait_for_timeout(110)  # ten a second and no more are taken of one user
    sent = until(
        lambda: found if len(found := commands(broker)) == 20 else None,
        lambda: commands(broker),
    )
    wanted = {(each.alarm_id, each.annunciation_id) for each in records}
    assert {(each.alarm_id, each.expected_event_id) for each in sent} == wanted


def commands(broker):
    return [AlarmCommand.from_json(each.value) for each in broker.read(Topic.ALARM_COMMANDS)]
