"""What a browser is answered when the console itself fails."""

import json

import pytest
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from meltwatch_console.adapters.web_server import web_app
from structlog.testing import capture_logs

from tests.unit.console.asking import ask

CAUSE = "/srv/plant/keys and what stands there"


def failing_app():
    router = APIRouter()

    @router.get("/fails")
    async def fails():
        raise RuntimeError(CAUSE)

    @router.get("/half")
    async def half():
        async def parts():
            yield b"begun"
            raise RuntimeError(CAUSE)

        return StreamingResponse(parts())

    return web_app([router])


async def test_a_failure_is_an_error_as_any_other_and_its_cause_stands_in_the_log_alone():
    with capture_logs() as said:
        status, headers, body = await ask(failing_app(), "/fails")

    assert (status, headers["content-type"]) == (500, "application/json")
    error = json.loads(body)["error"]
    assert error["code"] == "failed"
    assert "log" in error["message"]
    assert CAUSE not in body.decode()
    assert headers["content-security-policy"].startswith("default-src 'none'")
    (line,) = said
    assert (line["event"], line["path"], line["log_level"]) == ("request_failed", "/fails", "error")


async def test_half_an_answer_does_not_pass_for_a_whole_one():
    with capture_logs() as said, pytest.raises(RuntimeError):
        await ask(failing_app(), "/half")
    assert [line["event"] for line in said] == ["request_failed"]
