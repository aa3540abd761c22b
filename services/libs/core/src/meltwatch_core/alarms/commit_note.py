"""What a manager commits beside an offset, as text; read with care, for anybody may write it."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meltwatch_core.alarms.authorship import MAX_OWN_EPOCH, MAX_RANGES, Authorship
from meltwatch_core.alarms.caution import MAX_SET_ASIDE, Suspect
from meltwatch_core.alarms.ports import Commit, Place

_MAX_OFFSET: Final = 2**63 - 1
_Offset = Annotated[int, Field(ge=0, le=_MAX_OFFSET)]
_Few = Annotated[int, Field(ge=0, le=1_000_000)]


class _Note(BaseModel):
    """The metadata of a committed offset; 0.1 wrote position and epoch alone."""

    model_config = ConfigDict(strict=True, extra="ignore")

    position: _Offset
    epoch: int = Field(ge=0, le=MAX_OWN_EPOCH)
    suspect: tuple[_Offset, _Few] | None = None
    suspect_until: _Offset | None = None
    set_aside: list[_Offset] = Field(default_factory=list, max_length=MAX_SET_ASIDE)
    own: list[tuple[_Offset, _Offset]] = Field(default_factory=list, max_length=MAX_RANGES)


def note_of(commit: Commit) -> str:
    """Return the text that is to be committed beside the offset."""
    suspect = commit.suspect
    note = _Note(
        position=commit.position,
        epoch=commit.epoch,
        suspect=None if suspect is None else (suspect.first, suspect.times),
        suspect_until=None if suspect is None or suspect.last == suspect.first else suspect.last,
        set_aside=list(commit.set_aside),
        own=list(commit.own),
    )
    return note.model_dump_json(exclude_defaults=True)


def commit_of(offset: object, text: str | None) -> Commit | None:
    """Return what was committed; None if nothing was.

    Where somebody else has committed (an operator who moved the group's offsets) there is an
    offset without a note, or with one that is not ours: all that is known is the offset then.

    Parameters
    ----------
    offset, text
        As the broker gives them back: offset -1 where there is none.
    """
    if not isinstance(offset, int) or not 0 <= offset <= _MAX_OFFSET:
        return None
    try:
        note = _Note.model_validate_json(text or "{}")
    except (ValidationError, TypeError):
        return Commit(offset, offset, 0)
    return Commit(
        offset,
        max(offset, note.position),
        note.epoch,
        _suspect(note),
        tuple(note.set_aside),
        tuple(note.own),
    )


def authorships(commits: Mapping[Place, Commit | None], last: int) -> dict[Place, Authorship]:
    """Return by what the records of managers are known, for topics that they alone may write.

    Where the last manager has committed nothing about a topic (it was of version 0.1, or somebody
    has moved the offsets), all that stands there is taken for a manager's: the topic is left out.

    Parameters
    ----------
    commits
        Of these topics.
    last
        Newest epoch of all commits.
    """
    return {
        place: Authorship(commit.position, commit.own)
        for place, commit in commits.items()
        if commit and 0 < last == commit.epoch
    }


def _suspect(note: _Note) -> Suspect | None:
    """Return what was named; several records are named once at most, so nothing counts more."""
    if note.suspect is None:
        return None
    first, times = note.suspect
    last = note.suspect_until
    return Suspect(first, first, times) if last is None else Suspect(first, last, min(times, 1))
