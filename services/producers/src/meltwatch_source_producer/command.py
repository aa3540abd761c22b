"""``meltwatch sources``: what an engineer asks of the meters of a plant file.

``meltwatch --help`` imports this module, so what takes long to import waits until it is needed.
"""

import asyncio
import os
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis import logging
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import BadUsage, ConfigurationError
from meltwatch_chassis.settings import PlantSettings, load
from meltwatch_chassis.terminal import print_json, print_line

if TYPE_CHECKING:
    from meltwatch_sources.credentials import CredentialStore
    from meltwatch_sources.domain.meter_check import SourceFinding
    from meltwatch_sources.plant import CurrentSource, PlannedSource

_DONE, _RED, _WRONG, _AWAY = 0, 1, 2, 3
_PATIENCE_S: Final = 30.0
_WORDS: Final = {_DONE: "good", _RED: "red", _WRONG: "misconfigured", _AWAY: "unreachable"}


@dataclass(frozen=True, slots=True)
class CheckedMeter:
    """What a check found out about one meter.

    Attributes
    ----------
    furnace_id
        Whose it is.
    code
        0 good, 1 something is wrong, 2 misconfigured, 3 unreachable.
    why
        Of a meter that could not be looked at.
    findings
        What is wrong, and what was not checked.
    """

    furnace_id: str
    code: int
    why: str = ""
    findings: "tuple[SourceFinding, ...]" = ()


def check(
    furnace: Annotated[
        str | None, Parameter("FURNACE", help="One furnace of the plant file; all if absent.")
    ] = None,
    /,
    *,
    seconds: Annotated[
        float,
        Parameter(validator=Number(gte=1, lte=3600), help="For how long each meter is watched."),
    ] = 20.0,
    as_json: Annotated[bool, Parameter("--json", help="Print JSON instead of text.")] = False,
) -> int:
    """Watch the meters of the plant file and say what is wrong with them; nothing is sent."""
    _require_sources()
    from meltwatch_sources.credentials import CredentialStore  # noqa: PLC0415 - see above
    from meltwatch_sources.plant import read_sources  # noqa: PLC0415 - see above

    settings = load(PlantSettings, os.environ)
    # Libraries write a line an attempt; what is lost is told here once.
    logging.configure("sources", "error", "console")
    path = settings.plant_file
    if path is None:
        raise ConfigurationError("expected MELTWATCH_PLANT_FILE, got none")
    plant = read_sources(path)
    planned = [each for each in plant.currents if furnace in {None, each.furnace_id}]
    if not planned:
        raise BadUsage(f"{path}: expected a furnace with 'current:', got none of that name")
    checked = asyncio.run(_check_all(planned, CredentialStore(plant.credentials_dir), seconds))
    if as_json:
        print_json([asdict(each) | {"state": _WORDS[each.code]} for each in checked])
    else:
        for each in checked:
            _show(each)
    return max(each.code for each in checked)


def _require_sources() -> None:
    if find_spec("meltwatch_sources") is None:
        raise ConfigurationError(
            "meltwatch sources: expected the package meltwatch-producers with its option 'live', "
            "found it without; install meltwatch-producers[live]"
        )


async def _check_all(
    planned: "list[PlannedSource[CurrentSource]]", store: "CredentialStore", seconds: float
) -> list[CheckedMeter]:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    return await asyncio.gather(*(_checked(each, store, seconds) for each in planned))


async def _checked(
    planned: "PlannedSource[CurrentSource]", store: "CredentialStore", seconds: float
) -> CheckedMeter:
    from meltwatch_sources.adapters.meters import check_meter  # noqa: PLC0415 - see above
    from meltwatch_sources.ports import SourceLost  # noqa: PLC0415 - see above

    if planned.source is None:
        return CheckedMeter(planned.furnace_id, _WRONG, planned.fault or "")
    try:
        async with asyncio.timeout(seconds + _PATIENCE_S):
            found = tuple(await check_meter(planned.source, store, SystemClock(), seconds))
    except SourceLost as error:
        return CheckedMeter(planned.furnace_id, _AWAY, error.why)
    except TimeoutError:
        return CheckedMeter(planned.furnace_id, _AWAY, "it was silent for too long")
    code = _RED if any(each.is_checked for each in found) else _DONE
    return CheckedMeter(planned.furnace_id, code, findings=found)


def _show(checked: CheckedMeter) -> None:
    print_line(f"{checked.furnace_id}  current  {_WORDS[checked.code]}  {checked.why}".rstrip())
    for each in checked.findings:
        print_line(f"  {each.code}: {each.said}; {each.advice}")
