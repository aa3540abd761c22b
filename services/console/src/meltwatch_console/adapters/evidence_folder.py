"""A folder of evidence: one folder an occurrence, written whole, the oldest removed."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.whole_file import DRAFT, write_whole
from meltwatch_schemas.window import NS_PER_S

from meltwatch_console.domain.occurrences import Occurrence, kept_occurrence
from meltwatch_console.pipeline.evidence import FACTS

_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}\.(?:json|png)")
_JUDGED: Final = "judged"
_JUDGED_LONGER: Final = 4
_DAY_NS: Final = 86_400 * NS_PER_S


class OccurrenceFolder:
    """Keeps files by occurrence; several processes may share the folder.

    Parameters
    ----------
    folder
        Made if it is not there.
    most, days
        How many occurrences are kept, and for how long; judged ones four times as long, and they
        are the last to go.
    clock
        Wall clock: ages go by it.
    """

    def __init__(self, folder: Path, most: int, days: int, clock: Clock) -> None:
        self._folder = folder
        self._most = most
        self._kept_ns = days * _DAY_NS
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, occurrence_id: str) -> bool:
        """Tell whether an occurrence is kept; an id that cannot be one counts as kept."""
        return not _ID.fullmatch(occurrence_id) or (self._folder / occurrence_id).is_dir()

    def write(self, occurrence_id: str, files: Mapping[str, bytes]) -> None:
        """Keep files, as a whole or not at all; what is there already stands.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        draft = self._folder / f"{occurrence_id}-{token_hex(4)}{DRAFT}"
        draft.mkdir()
        try:
            for name, content in files.items():
                (draft / name).write_bytes(content)
            if not self.has(occurrence_id):
                draft.rename(self._folder / occurrence_id)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._remove_old()

    def note(self, occurrence_id: str, facts: bytes, *, is_judged: bool) -> None:
        """Write anew what is known of an occurrence that is kept; keep a judged one for longer.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        kept = self._folder / occurrence_id
        if not _ID.fullmatch(occurrence_id) or not kept.is_dir():
            return
        write_whole(kept / FACTS, facts.decode())
        if is_judged:
            (kept / _JUDGED).touch()

    def occurrences(self) -> Iterator[Occurrence]:
        """Yield what is known of each occurrence that is kept; what is none of ours is left out."""
        for path in self._folder.glob(f"*/{FACTS}"):
            content = self.read(path.parent.name, FACTS)
            if content is not None and (found := kept_occurrence(content)) is not None:
                yield found

    def read(self, occurrence_id: str, name: str) -> bytes | None:
        """Return a file of an occurrence, None if it is not kept."""
        if not _ID.fullmatch(occurrence_id) or not _NAME.fullmatch(name):
            return None
        try:
            return (self._folder / occurrence_id / name).read_bytes()
        except OSError:
            return None

    def _remove_old(self) -> None:
        """Remove what is too old, then the oldest beyond the count, the judged ones last."""
        now_ns = self._clock.now_ns()
        kept: list[tuple[bool, int, Path]] = []
        for path in self._folder.iterdir():
            age_ns = now_ns - _written_ns(path)
            is_judged = (path / _JUDGED).exists()
            most_ns = self._kept_ns * (_JUDGED_LONGER if is_judged else 1)
            if age_ns > most_ns:
                shutil.rmtree(path, ignore_errors=True)
            elif _ID.fullmatch(path.name):
                kept.append((is_judged, -age_ns, path))
        for *_, path in sorted(kept)[: max(0, len(kept) - self._most)]:
            shutil.rmtree(path, ignore_errors=True)


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
