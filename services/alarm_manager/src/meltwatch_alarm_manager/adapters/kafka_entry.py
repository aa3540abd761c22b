"""Whether the broker lets the alarm manager in."""

import asyncio
from collections.abc import Mapping
from typing import Any

from meltwatch_chassis.errors import FatalError, TransientError
from meltwatch_chassis.kafka.access import require_access
from meltwatch_schemas.access import Principal, rights_of


async def enter(connection: Mapping[str, Any], prefix: str) -> None:
    """Check that the broker lets us in and gives us our rights.

    Raises
    ------
    TransientError
        If not, with the first cause: who gives a right or mends a login need not start us anew.
    """
    try:
        rights = rights_of(Principal.ALARM_MANAGER, prefix)
        await asyncio.to_thread(require_access, connection, rights)
    except FatalError as error:
        raise TransientError(str(error)) from error
