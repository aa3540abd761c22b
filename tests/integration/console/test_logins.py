"""Who gets in: tokens of the plant's login, against a key set in a file."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.alarm_command import AlarmCommand
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.unit.core.alarms.samples import ALARM_ID, FURNACE

pytestmark = pytest.mark.integration
ISSUER, AUDIENCE = "https://login.plant", "meltwatch"
COMMENT = {"alarm_id": ALARM_ID, "command": "comment", "comment": "x"}


def now_s() -> int:
    return SystemClock().now_ns() // NS_PER_S


def claims(**changes: Any) -> dict[str, Any]:
    told = {
        "iss": ISSUER, "aud": AUDIENCE, "exp": now_s() + 600, "preferred_username": "li",
        "groups": ["operators"],
    }  # fmt: skip
    return {name: value for name, value in (told | changes).items() if value is not None}


@pytest.fixture
def keys(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [public | {"kid": "one", "alg": "ES256"}]}))
    return key, file


@pytest.fixture
def console(forge, make_console, keys):
    made = make_console(
        [FURNACE],
        console_auth="proxy",
        console_jwks_file=str(keys[1]),
        console_issuer=ISSUER,
        console_audience=AUDIENCE,
        console_groups="operators=operate,process=engineer",
    )
    made.wait_live(bearer(jwt.encode(claims(), keys[0], "ES256", {"kid": "one"})))
    return made


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_says_who_commands_and_what_they_may(broker, console, keys):
    def signed(**changes: Any):
        return bearer(jwt.encode(claims(**changes), keys[0], "ES256", {"kid": "one"}))

    me = console.ask("api/v1/me", headers=signed())
    assert me[1] | {"user": "li", "role": "operate", "auth": "proxy"} == me[1]
    assert console.ask("api/v1/me", headers=signed(groups=["process"]))[1]["role"] == "engineer"
    forwarded = {"X-Forwarded-Access-Token": signed()["Authorization"].removeprefix("Bearer ")}
    assert console.ask("api/v1/me", headers=forwarded)[1]["user"] == "li"

    status, said = console.ask("api/v1/commands", COMMENT, signed(groups=["visitors"]))
    assert (status, said["error"]["code"]) == (403, "not_permitted")
    out = COMMENT | {"command": "out_of_service"}
    assert console.ask("api/v1/commands", out, signed())[0] == 403
    assert broker.read(Topic.ALARM_COMMANDS) == []

    assert console.ask("api/v1/commands", COMMENT, signed())[0] == 202
    (record,) = broker.read(Topic.ALARM_COMMANDS)
    sent = AlarmCommand.from_json(record.value)
    assert (sent.user, sent.role, sent.via) == ("li", "operator", "console")


def test_tokens_that_do_not_count_are_refused(broker, console, keys):
    key = keys[0]
    stranger = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
    )

    spki = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = {"kid": "one"}
    refused = {
        "nothing": {},
        "a bare name": {"X-Forwarded-User": "boss", "X-Auth-Request-User": "boss"},
        "expired": bearer(jwt.encode(claims(exp=now_s() - 60), key, "ES256", head)),
        "without an end": bearer(jwt.encode(claims(exp=None), key, "ES256", head)),
        "not yet": bearer(jwt.encode(claims(nbf=now_s() + 600), key, "ES256", head)),
        "foreign issuer": bearer(jwt.encode(claims(iss="https://evil"), key, "ES256", head)),
        "foreign audience": bearer(jwt.encode(claims(aud="other"), key, "ES256", head)),
        "no audience": bearer(jwt.encode(claims(aud=None), key, "ES256", head)),
        "foreign key": bearer(jwt.encode(claims(), stranger, "ES256", head)),
        "unknown key": bearer(jwt.encode(claims(), key, "ES256", {"kid": "two"})),
        "unsigned": bearer(jwt.encode(claims(), None, "none", head)),
        "public key as secret": bearer(hmac_token(claims(), spki)),
        "no name": bearer(jwt.encode(claims(preferred_username=None), key, "ES256", head)),
        "a hidden name": bearer(
            jwt.encode(claims(preferred_username="l\u202ei"), key, "ES256", head)
        ),
        "rubbish": bearer("a.b.c"),
        "far too long": bearer("a" * 20_000),
    }
    for name, headers in refused.items():
        assert console.ask("api/v1/alarms", headers=headers)[0] in (401, 431, 400), name
        assert console.ask("api/v1/stream", headers=headers)[0] in (401, 431, 400), name
        assert console.ask("api/v1/commands", COMMENT, headers)[0] in (401, 431, 400), name
    assert broker.read(Topic.ALARM_COMMANDS) == []
    reasons = " ".join(str(line) for line in console.log_lines("request_refused"))
    assert "li" not in reasons.split(), "a log holds no token"


def hmac_token(told: dict[str, Any], secret: bytes) -> str:
    """Sign with a public key as if it were a secret: what a confused checker takes."""
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415

    def packed(value: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    body = packed({"alg": "HS256", "typ": "JWT", "kid": "one"}) + b"." + packed(told)
    made = hmac.new(secret, body, hashlib.sha256).digest()
    return (body + b"." + base64.urlsafe_b64encode(made).rstrip(b"=")).decode()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"console_address": "0.0.0.0:0"}, "expected a loopback address"),
        ({"console_address": "[::]:0"}, "expected a loopback address"),
        ({"console_auth": "proxy"}, "expected MELTWATCH_CONSOLE_JWKS_FILE"),
        (
            {
                "console_auth": "proxy", "console_jwks_file": "/nowhere",
                "console_issuer": "x", "console_audience": "y",
            },
            "expected a JSON Web Key Set",
        ),
        ({"console_groups": "operators=boss"}, "expected group=view"),
        ({"console_time_zone": "Mars/Base"}, "expected an IANA time zone"),
    ],
)  # fmt: skip
def test_a_console_that_would_let_in_anybody_does_not_start(make_console, settings, said):
    console = make_console(**settings)

    assert console.wait() == 2
    assert said in console.last_line()
