"""``meltwatch sources check``: what is wrong with the cameras and meters of a plant file.

``meltwatch --help`` imports this module, so what takes long to import waits until it is needed.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from meltwatch_chassis.terminal import print_json, print_line

from meltwatch_source_producer.command_shared import (
    WORDS,
    AsJson,
    print_findings,
    require_sources,
    sources_of,
    waited_for,
)

if TYPE_CHECKING:
    from meltwatch_source_producer.looking import LookedAt


def check(
    furnace: Annotated[
        str | None, Parameter("FURNACE", help="One furnace of the plant file; all if absent.")
    ] = None,
    /,
    *,
    seconds: Annotated[
        float,
        Parameter(validator=Number(gte=1, lte=3600), help="For how long each source is watched."),
    ] = 20.0,
    lift: Annotated[
        Literal["a", "b", "c"] | None,
        Parameter(help="Which electrode is lifted meanwhile, to check the order of phases."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Watch the sources of the plant file and say what is wrong with them; nothing is sent."""
    require_sources()
    from meltwatch_source_producer.acceptance import references_of  # noqa: PLC0415 - see above
    from meltwatch_source_producer.looking import look_at  # noqa: PLC0415 - see above

    path, plant = sources_of(furnace)
    furnaces = [each.furnace_id for each in plant.videos]
    references, unreadable = references_of(path, furnaces)
    count = len(plant.videos) + len(plant.currents)
    what = f"watching {count} sources"
    looked = waited_for(look_at(plant, seconds, references, lift), what, seconds)
    if as_json:
        print_json([as_object(each) for each in looked])
    else:
        for line in unreadable:
            print_line(line)
        for each in looked:
            _show(each)
    return max(each.code for each in looked)


def as_object(looked: "LookedAt") -> dict[str, Any]:
    """Return what ``--json`` prints of a look."""
    return {
        "furnace_id": looked.furnace_id,
        "modality": looked.modality,
        "code": looked.code,
        "state": WORDS[looked.code],
        "why": looked.why,
        "findings": [asdict(each) for each in looked.findings],
    }


def _show(looked: "LookedAt") -> None:
    told = f"{looked.furnace_id}  {looked.modality}  {WORDS[looked.code]}  {looked.why}"
    print_line(told.rstrip())
    print_findings(looked.findings)
