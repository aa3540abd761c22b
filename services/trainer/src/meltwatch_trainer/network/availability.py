"""Which modalities a window has; the order is that of the calibration's rows."""

from typing import Final

AVAILABILITY: Final = {"both": (1.0, 1.0), "video": (1.0, 0.0), "current": (0.0, 1.0)}
"""Name of the state to (video, current), 1 if available."""
