"""JSON objects within limits, strictly by RFC 8259: NaN is not JSON, nesting is bounded."""

from typing import Any, Final

from pydantic_core import from_json

from meltwatch_schemas.codec import check_size
from meltwatch_schemas.errors import malformed

MAX_NESTING: Final = 32


def parse_object(value: bytes) -> dict[str, Any]:
    """Return the object that UTF-8 JSON bytes hold.

    Raises
    ------
    ContractViolation
        ``too_large`` over 256 KiB; ``malformed`` if the bytes are not one JSON object, nested at
        most 32 deep. NaN and infinity are not JSON.
    """
    check_size(value)
    try:
        parsed = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise malformed(f"expected a JSON object, got {error}"[:200]) from error
    if not isinstance(parsed, dict):
        raise malformed(f"expected a JSON object, got {type(parsed).__name__}")
    if _is_deeper(parsed, MAX_NESTING):
        raise malformed(f"expected at most {MAX_NESTING} levels of nesting, got more")
    return parsed


def _is_deeper(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _containers_in(parent)]
    return bool(level)


def _containers_in(value: Any) -> list[object]:
    children = value.values() if isinstance(value, dict) else value
    return [child for child in children if isinstance(child, dict | list)]
