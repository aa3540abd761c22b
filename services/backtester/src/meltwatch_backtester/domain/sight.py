"""What there was to be seen in a window: its last frame, and what the models marked in it."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.picture import AnomalyMap, outline_of, png_of, spot_of
from numpy.typing import NDArray

MAX_SIGHTS: Final = 60
"""Pictures of some 13 kB each: what a report can hold and a person will look at."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What there was to be seen.

    Attributes
    ----------
    furnace_id, window_end_ns
        In which window.
    frame
        Its last one, shape ``(64, 64, 3)``; None where there is none.
    anomaly_map
        Of the replay; None where the score was too low for one.
    lack
        Why there is no frame.
    """

    furnace_id: str
    window_end_ns: int
    frame: NDArray[np.uint8] | None
    anomaly_map: AnomalyMap | None
    lack: str = ""

    def document(self) -> dict[str, Any]:
        """Return it for ``pictures.json``."""
        frame, marked = self.frame, self.anomaly_map
        spot = None if marked is None else spot_of(marked)
        return {
            "furnace_id": self.furnace_id,
            "window_end": rfc3339(utc_from_ns(self.window_end_ns)),
            "png": None if frame is None else b64encode(png_of(frame)).decode(),
            "outline": "" if marked is None else outline_of(marked),
            "place": spot.place if spot else "",
            "share": round(spot.share, 4) if spot else 0.0,
            "lack": self.lack,
        }
