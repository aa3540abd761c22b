"""What a process has logged, while it still writes."""

import json
from pathlib import Path
from typing import Any


def entries(file: Path, event: str | None = None) -> list[dict[str, Any]]:
    """Return the log lines that are whole and JSON, of one event or of all."""
    lines = file.read_text(errors="replace").splitlines(keepends=True)
    found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
    return [entry for entry in found if event in (None, entry["event"])]
