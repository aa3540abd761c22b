"""A token's reader refuses what would break its parser; the real console is in test_logins."""

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_console.adapters.tokens import TokenReader, TokenRefused
from meltwatch_console.domain.identity import ConsoleRole

DEEP = b"[" * 8_000
ISSUER, AUDIENCE = "https://login.plant", "meltwatch"


def packed(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def file(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    public: dict[str, Any] = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    made = tmp_path / "keys.json"
    made.write_text(json.dumps({"keys": [public | {"kid": "one", "alg": "ES256"}]}))
    return made


def reader_of(file: Path) -> TokenReader:
    return TokenReader(file, ISSUER, AUDIENCE, {"operators": ConsoleRole.OPERATE})


def test_a_token_whose_header_nests_deeply_is_refused(file):
    with pytest.raises(TokenRefused, match="recursion"):
        reader_of(file).visitor(f"{packed(DEEP)}.{packed(b'{}')}.{packed(b'x')}")


def test_a_signed_token_whose_claims_nest_deeply_is_refused(file, key):
    token = jwt.api_jws.encode(DEEP, key, "ES256", {"kid": "one"})
    with pytest.raises(TokenRefused, match="recursion"):
        reader_of(file).visitor(token)


def test_keys_that_nest_deeply_are_no_key_set(file):
    file.write_bytes(b'{"keys":' + DEEP)
    with pytest.raises(ConfigurationError, match="expected a JSON Web Key Set"):
        reader_of(file)


def test_keys_that_come_to_nest_deeply_leave_those_read_before(file, key):
    reader = reader_of(file)
    file.write_bytes(b'{"keys":' + DEEP)
    unknown = jwt.encode({}, key, "ES256", {"kid": "two"})
    with pytest.raises(TokenRefused, match="expected a token signed by a key"):
        reader.visitor(unknown)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    (
        "alg", "kid", "typ", "crit", "b64", "exp", "iat", "nbf", "iss", "aud", "sub", "jti",
        "preferred_username", "groups",
    )
)  # fmt: skip
GOOD = {"exp": 2**40, "iss": ISSUER, "aud": AUDIENCE, "preferred_username": "li"}


@given(st.dictionaries(NAMES, ODD), st.binary(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_header_holds_it_is_refused(file, header, signature):
    said = packed(json.dumps(header).encode())
    with pytest.raises(TokenRefused):
        reader_of(file).visitor(f"{said}.{packed(json.dumps(GOOD).encode())}.{packed(signature)}")


@given(st.dictionaries(NAMES, ODD))
@example({"exp": float("inf")})
@example({"nbf": float("-inf")})
@example({"iat": float("nan")})
@example({"exp": [1]})
@example({"aud": [[1]]})
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_signed_token_claims_it_names_somebody_or_is_refused(file, key, claims):
    said = json.dumps(GOOD | claims).encode()
    token = jwt.api_jws.encode(said, key, "ES256", {"kid": "one"})
    reader = reader_of(file)
    with suppress(TokenRefused):
        assert reader.visitor(token).user.isprintable()
