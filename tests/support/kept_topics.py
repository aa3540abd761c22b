"""Topics whose records stay, however old: tests write what is dated, and look at all of it."""

from dataclasses import replace
from typing import Final

from meltwatch_schemas.topics import TopicSpec, catalogue

_NEVER_MS: Final = str(2**63 - 1)
_KEPT: Final = {
    "retention.ms": "-1",
    "min.compaction.lag.ms": _NEVER_MS,
    "max.compaction.lag.ms": _NEVER_MS,
}


def kept_catalogue(prefix: str, partitions: int, **further: str) -> list[TopicSpec]:
    """Return the catalogue of which the broker deletes and compacts nothing.

    ``further`` is more configuration of each topic, with ``_`` for each dot.
    """
    more = {name.replace("_", "."): value for name, value in further.items()}
    return [
        replace(spec, config=spec.config | _KEPT | more) for spec in catalogue(prefix, partitions)
    ]
