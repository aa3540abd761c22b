"""The plant file of a demo: its furnaces are registered, as a plant's own would be."""

from collections.abc import Sequence
from pathlib import Path

import yaml


def write_plant_file(file: Path, furnaces: Sequence[str], notes: str) -> Path:
    """Write a plant file with furnaces that have the default alarm points, and return its path.

    Parameters
    ----------
    file
        To be written; its folder is made.
    furnaces
        Furnace ids.
    notes
        What to say of each.
    """
    plant = {
        "furnaces": [
            {"id": furnace, "name": furnace.rpartition("/")[2], "notes": notes}
            for furnace in furnaces
        ]
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(plant, sort_keys=False), encoding="utf-8")
    return file
