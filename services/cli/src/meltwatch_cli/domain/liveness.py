"""Whether anybody is there to raise an alarm: a list that stands still says nothing by itself."""

from typing import Final

STALE_AFTER_S: Final = 15.0
"""Three heartbeats of the alarm manager, which writes one every 5 s (docs/scada.md)."""


class Liveness:
    """Tells when the alarm manager falls silent, and when it is heard again.

    Parameters
    ----------
    now_s
        Monotonic seconds: from here on it may be silent for ``STALE_AFTER_S``.
    """

    def __init__(self, now_s: float) -> None:
        self._heard_s = now_s
        self._is_stale = False

    def turn(self, now_s: float, *, is_heard: bool) -> str | None:
        """Return one line if the silence began or ended, else None.

        Parameters
        ----------
        now_s
            Monotonic seconds.
        is_heard
            Whether a heartbeat has come since the last call.
        """
        silent_s = now_s - self._heard_s
        if is_heard:
            self._heard_s = now_s
        if self._is_stale and is_heard:
            self._is_stale = False
            return f"live again: the alarm manager was not heard for {silent_s:.0f} s"
        if not self._is_stale and not is_heard and silent_s >= STALE_AFTER_S:
            self._is_stale = True
            return (
                f"STALE: expected a heartbeat of the alarm manager every 5 s, got none for "
                f"{silent_s:.0f} s: is it there, is Kafka? Alarms may be missing here"
            )
        return None
