"""Names of the topics that the stream processor reads and writes."""

from dataclasses import dataclass
from functools import cached_property

from meltwatch_schemas.score import Modality
from meltwatch_schemas.topics import Topic


@dataclass(frozen=True)
class TopicNames:
    """Full names under one prefix.

    Attributes
    ----------
    prefix
        First part of every name.
    in_shadow
        The verdicts are only watched, and go where no alarm comes of them.
    """

    prefix: str
    in_shadow: bool = False

    @cached_property
    def inputs(self) -> dict[Modality, str]:
        """The input topic of each modality."""
        return {
            Modality.VIDEO: Topic.EMBEDDINGS.under(self.prefix),
            Modality.CURRENT: Topic.CURRENTS.under(self.prefix),
        }

    @cached_property
    def scores(self) -> str:
        """Where verdicts go."""
        topic = Topic.SHADOW_SCORES if self.in_shadow else Topic.SCORES
        return topic.under(self.prefix)

    @cached_property
    def portraits(self) -> str:
        """What normal operation of each furnace is."""
        return Topic.PORTRAITS.under(self.prefix)

    @cached_property
    def late(self) -> str:
        """Where copies of late records go."""
        return Topic.LATE.under(self.prefix)

    @cached_property
    def dead_letters(self) -> str:
        """Where refused records go."""
        return Topic.DEAD_LETTERS.under(self.prefix)

    @cached_property
    def modalities(self) -> dict[str, Modality]:
        """The modality that each input topic carries."""
        return {topic: modality for modality, topic in self.inputs.items()}
