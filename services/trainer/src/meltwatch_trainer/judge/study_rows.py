"""The rows of the evaluation: what is judged under which name."""

from dataclasses import dataclass
from typing import Final

from meltwatch_trainer.judge.scores import ENSEMBLE, Scores, score_key
from meltwatch_trainer.train.study import SHIPPED


@dataclass(frozen=True, slots=True)
class Row:
    """Some networks, fused, in one availability state.

    Attributes
    ----------
    name, title
        For machines; for people.
    models
        Names of the networks.
    state
        What is left of the modalities.
    """

    name: str
    title: str
    models: tuple[str, ...]
    state: str = "both"

    @property
    def pixels(self) -> str:
        """Key of the row's pixel counts."""
        model = ENSEMBLE if self.models == SHIPPED else "+".join(self.models)
        return score_key(model, self.state)

    def scored_in(self, scores: Scores) -> bool:
        """Return whether all networks of the row were scored."""
        return all(score_key(model, self.state) in scores.logits for model in self.models)


FAITHFUL: Final = "faithful"
"""The published network: what the ensemble's gain is measured against."""

BEFORE: Final = "before"
"""The ensemble that a training went on from: what its gain is measured against."""


def name_before(name: str) -> str:
    """Return the name under which a member is scored as it was before."""
    return f"{BEFORE}-{name}"


SERVED_ROWS: Final = (
    Row(ENSEMBLE, "ensemble", SHIPPED),
    Row("currents_lost", "ensemble, currents lost", SHIPPED, "video"),
    Row("video_lost", "ensemble, video lost", SHIPPED, "current"),
)
"""What is served: one threshold for all three."""

OTHER_ROWS: Final = (
    Row(BEFORE, "ensemble before this training", tuple(map(name_before, SHIPPED))),
    Row("a", "member a (level-aware FmFormer)", ("a",)),
    Row("b", "member b", ("b",)),
    Row("c", "member c", ("c",)),
    Row(FAITHFUL, "faithful FmFormer", (FAITHFUL,)),
    Row("no_levels", "a without levels", ("no_levels",)),
    Row("no_dilated", "a without dilated tokens", ("no_dilated",)),
    Row("no_cross", "a without cross-attention", ("no_cross",)),
    Row("video_only", "a, video only", ("video_only",)),
    Row("current_only", "a, currents only", ("current_only",)),
)
"""What it is compared with: each at a threshold of its own."""

ROWS: Final = (*SERVED_ROWS, *OTHER_ROWS)
