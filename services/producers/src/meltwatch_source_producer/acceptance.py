"""What was found when a furnace's sources were accepted: a file beside the plant file.

``meltwatch sources accept`` writes it; later checks compare with it.
"""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import numpy as np
from meltwatch_sources.domain.picture import SIDE
from meltwatch_sources.domain.picture_check import PictureReference
from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

FOLDER: Final = "accepted"
_PICTURE_BYTES: Final = SIDE * SIDE * 3


def _picture(content: bytes) -> bytes:
    if len(content) != _PICTURE_BYTES:
        raise ValueError(f"expected {_PICTURE_BYTES} bytes, got {len(content)}")
    return content


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AcceptedFinding(_Part):
    """What was wrong, or was not checked."""

    code: str = Field(description="Its name.")
    said: str = Field(description="What was seen.")
    is_checked: bool = Field(description="False: it was not checked.")


class AcceptedVideo(_Part):
    """The camera, as it was."""

    source_id: str = Field(description="What records call it.")
    address: str = Field(description="Without a login.")
    crop: tuple[int, int, int, int] | None = Field(description="As in the plant file.")
    codec: str = Field(description="Of the stream.")
    width: int = Field(description="Of the picture.")
    height: int = Field(description="Of the picture.")
    rate_hz: float = Field(description="Frames a second.")
    key_every_s: float | None = Field(description="Longest time without a key frame.")
    jitter_s: float | None = Field(description="Of arrivals.")
    delay_s: float | None = Field(description="From event time to arrival.")
    rung: str | None = Field(description="Whose clock event times followed.")
    clock_offset_s: float | None = Field(description="The camera's clock minus ours.")
    border_grey: float = Field(ge=0, le=255, description="Mean along the crop's border.")
    red_to_blue: float = Field(gt=0, description="Of the same patches.")
    mean: Annotated[Base64Bytes, AfterValidator(_picture)] = Field(
        description="64×64 RGB, mean picture."
    )

    @property
    def reference(self) -> PictureReference:
        """What later pictures are compared with."""
        mean = np.frombuffer(self.mean, dtype=np.uint8).reshape(SIDE, SIDE, 3)
        return PictureReference(mean, self.border_grey, self.red_to_blue)


class AcceptedCurrent(_Part):
    """The meter, as it was."""

    source_id: str = Field(description="What records call it.")
    address: str = Field(description="Without a login.")
    mean_a: tuple[float | None, float | None, float | None] = Field(
        description="Of the phases; null without a value."
    )


class Acceptance(_Part):
    """The commissioning record of one furnace."""

    furnace_id: str = Field(description="Whose sources.")
    by: str = Field(description="Who accepted them.")
    at: str = Field(description="When, UTC.")
    seconds: float = Field(description="For how long they were watched.")
    video: AcceptedVideo | None = Field(description="The camera, if there is one.")
    current: AcceptedCurrent | None = Field(description="The meter, if there is one.")
    findings: tuple[AcceptedFinding, ...] = Field(description="What was wrong or not checked.")
    despite: tuple[str, ...] = Field(description="Findings that were accepted all the same.")


def encoded(reference: PictureReference) -> bytes:
    """Return a mean picture as it stands in the record."""
    return base64.b64encode(reference.mean.tobytes())


def acceptance_file(plant: Path, furnace_id: str) -> Path:
    """Return where the record of a furnace is: its id as one name beside the plant file."""
    return plant.absolute().parent / FOLDER / f"{quote(furnace_id, safe='')}.json"


def references_of(
    plant: Path, furnaces: Iterable[str]
) -> tuple[dict[str, PictureReference], list[str]]:
    """Return what cameras looked like when they were accepted, and a line for each broken file."""
    found: dict[str, PictureReference] = {}
    unreadable: list[str] = []
    for furnace_id in furnaces:
        file = acceptance_file(plant, furnace_id)
        try:
            video = Acceptance.model_validate_json(file.read_bytes()).video
        except FileNotFoundError:
            continue
        except OSError as error:
            unreadable.append(f"{file}: {error.strerror}; accept the sources anew")
        except ValidationError:
            unreadable.append(f"{file}: expected a record of 'sources accept', got something else")
        else:
            if video is not None:
                found[furnace_id] = video.reference
    return found, unreadable
