"""What could not be read: left out, counted, and reported at the end."""

from dataclasses import dataclass


@dataclass(slots=True)
class Unreadable:
    """Records or entries that a reader had to leave out.

    Attributes
    ----------
    count
        How many.
    first
        Where the first one stands, and what is wrong with it.
    """

    count: int = 0
    first: str = ""

    def note(self, place: str, why: str) -> None:
        """Take one in."""
        self.count += 1
        self.first = self.first or f"{place}: {why}"

    def line(self) -> str | None:
        """Return one line about them, None if there are none."""
        if not self.count:
            return None
        noun = "record" if self.count == 1 else "records"
        return f"{self.count} {noun} could not be read; the first at {self.first[:500]}"
