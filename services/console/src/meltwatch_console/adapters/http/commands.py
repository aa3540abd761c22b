"""``POST /api/v1/commands``: what a visitor asks of the alarm manager."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from meltwatch_schemas.text import escaped
from pydantic import ValidationError

from meltwatch_console.adapters.http.described import answers
from meltwatch_console.adapters.http.gate import ApiError, Gate
from meltwatch_console.adapters.http.shapes import CommandAnswerShape, ErrorAnswer
from meltwatch_console.domain.identity import Visitor
from meltwatch_console.pipeline.live_picture import encoded
from meltwatch_console.pipeline.mailbox import (
    CommandAnswer,
    CommandOutcome,
    CommandRequest,
    Mailbox,
    PaceBook,
)

MAX_BODY: Final = 8 * 1024
_STATUS: Final = {
    CommandOutcome.DONE: HTTPStatus.OK,
    CommandOutcome.REFUSED: HTTPStatus.CONFLICT,
    CommandOutcome.UNANSWERED: HTTPStatus.ACCEPTED,
    CommandOutcome.AWAY: HTTPStatus.SERVICE_UNAVAILABLE,
}
_WORDS: Final = {
    CommandOutcome.UNANSWERED: ("unanswered", "the alarm manager has not answered in 5 s"),
    CommandOutcome.AWAY: (
        "kafka_away",
        "the command could not be sent: Kafka does not take it now",
    ),
}

_ANSWERS: Final = answers(CommandAnswerShape) | {
    status: {"model": model, "description": text}
    for status, model, text in (
        (202, CommandAnswerShape, "Sent, but the alarm manager has not answered in 5 s."),
        (409, CommandAnswerShape, "Refused by the alarm manager; the message says why."),
        (413, ErrorAnswer, "The body is too long."),
        (415, ErrorAnswer, "It is not application/json."),
        (429, ErrorAnswer, "More than ten commands a second."),
        (503, CommandAnswerShape, "Kafka does not take it now."),
    )
}
_EXAMPLE: Final = {
    "alarm_id": "demo/smelting-1/FMF-01/OVERHEAT",
    "command": "ack",
    "expected_event_id": "0f4c1d5b7e3a4f0e9b8a7c6d5e4f3a2b",
    "comment": "on it",
}
_BODY: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "X-Meltwatch", "in": "header", "required": True, "schema": {"const": "1"},
            "description": "A page of another site cannot send it.",
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": CommandRequest.model_json_schema(), "example": _EXAMPLE,
            }
        },
    },
}  # fmt: skip
"""The body is read by hand, so that no more of it is read than it may be long."""


def command_routes(gate: Gate, mailbox: Mailbox, pace: PaceBook) -> APIRouter:
    """Return the route of commands."""
    router = APIRouter(prefix="/api/v1", tags=["commands"])

    @router.post("/commands", responses=_ANSWERS, openapi_extra=_BODY)
    async def command(request: Request, visitor: Annotated[Visitor, Depends(gate.who)]) -> Response:
        """Pass a command on; the answer is the alarm manager's own."""
        gate.check_command(request)
        asked = _parsed(await _body(request))
        if not visitor.may(asked.command):
            raise ApiError(
                403,
                "not_permitted",
                f"expected a role that may {asked.command}, got {visitor.role}",
            )
        if not pace.allows(visitor.user):
            raise ApiError(429, "too_many", "expected at most 10 commands a second")
        address = request.client.host if request.client else "-"
        answer = await mailbox.send(visitor, asked, address)
        return Response(
            encoded(_told(answer)), _STATUS[answer.outcome], media_type="application/json"
        )

    return router


def _told(answer: CommandAnswer) -> dict[str, Any]:
    told: dict[str, Any] = {"command_id": answer.command_id}
    if answer.result is not None:
        told["result"] = answer.result.model_dump(mode="json")
        if answer.outcome is CommandOutcome.REFUSED:
            told["error"] = {"code": answer.result.code.value, "message": answer.result.detail}
            newest = answer.newest
            told["newest"] = newest and newest.model_dump(mode="json", by_alias=True)
        return told
    code, message = _WORDS[answer.outcome]
    return told | {"error": {"code": code, "message": message}}


async def _body(request: Request) -> bytes:
    """Return the body, which is not read further than it may be long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise ApiError(413, "too_large", f"expected at most {MAX_BODY} bytes")
    return body


def _parsed(body: bytes) -> CommandRequest:
    try:
        return CommandRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ApiError(422, "bad_request", escaped(f"{where}: {first['msg']}")[:300]) from None
