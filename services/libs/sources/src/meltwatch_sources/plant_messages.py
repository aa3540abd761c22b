"""What a plant file says of a meter whose values come by a broker."""

import re
from typing import Annotated, Final

from meltwatch_schemas.text import is_printable
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from meltwatch_sources.domain.json_currents import JsonPlaces
from meltwatch_sources.domain.sparkplug_currents import SparkplugPlaces

LONGEST_TOPIC: Final = 512
_POINTER: Final = re.compile(r"(/([^~/]|~[01])*)*")
_ID: Final = re.compile(r"[^/+#]{1,128}")


def _topic(topic: str) -> str:
    if not is_printable(topic) or "+" in topic or "#" in topic or topic.startswith("$"):
        raise ValueError("expected a topic without + and #: one publisher writes the currents")
    return topic


def _pointer(pointer: str) -> str:
    if not is_printable(pointer) or not _POINTER.fullmatch(pointer):
        raise ValueError("expected a JSON pointer such as /data/ia, or '' for the whole message")
    return pointer


def _id(name: str) -> str:
    if not is_printable(name) or not _ID.fullmatch(name):
        raise ValueError("expected 1 to 128 printable characters without / + #")
    return name


def _metric(name: str) -> str:
    if not is_printable(name):
        raise ValueError("expected printable characters")
    return name


_Topic = Annotated[str, Field(min_length=1, max_length=LONGEST_TOPIC), AfterValidator(_topic)]
_Pointer = Annotated[str, Field(max_length=256), AfterValidator(_pointer)]
_Id = Annotated[str, AfterValidator(_id)]
_Metric = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_metric)]


class JsonMessages(BaseModel):
    """Where a publisher of JSON writes the three phases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[_Topic, ...] = Field(description="One for all values, or one a value.")
    values: tuple[_Pointer, _Pointer, _Pointer] = Field(
        default=("", "", ""), description="JSON pointers; '' is the whole message."
    )
    time: _Pointer | None = Field(
        default=None, description="JSON pointer of the time stamp; arrival if absent."
    )

    @property
    def places(self) -> JsonPlaces:
        """Where its values stand."""
        return JsonPlaces(self.topics, self.values, self.time)

    @model_validator(mode="after")
    def _check_places(self) -> "JsonMessages":
        if len(self.topics) not in {1, len(self.values)}:
            raise ValueError("expected one topic for all values, or one a value")
        places = set(zip(self.topics * (3 // len(self.topics)), self.values, strict=True))
        if len(places) < len(self.values):
            raise ValueError("expected a place of its own for each value")
        return self


class SparkplugMetrics(BaseModel):
    """What an edge node of Sparkplug B calls the three phases."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: _Id = Field(description="Id of the group.")
    edge: _Id = Field(description="Id of the edge node.")
    device: _Id | None = Field(
        default=None, description="Id of the device; the node's own metrics if absent."
    )
    metrics: tuple[_Metric, _Metric, _Metric] = Field(description="Names, as in the birth.")

    @property
    def places(self) -> SparkplugPlaces:
        """Where its values stand."""
        return SparkplugPlaces(self.group, self.edge, self.device, self.metrics)

    @model_validator(mode="after")
    def _check_names(self) -> "SparkplugMetrics":
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError("expected three names")
        return self
