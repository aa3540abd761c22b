"""Who answers for windows: the ensemble, and each server that may serve it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from meltwatch_schemas.score import ModelIdentity
from numpy.typing import NDArray

from meltwatch_core.join.window import AlignedWindow


@dataclass(frozen=True, slots=True)
class EnsembleIdentity:
    """What an ensemble says of itself.

    Attributes
    ----------
    model
        Name, version and digest, as every score names them.
    encoder_id
        The only encoder whose embeddings it takes.
    tensors
        Name, type and shape of each input and output, as text.
    """

    model: ModelIdentity
    encoder_id: str
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """An ensemble's answer on one window.

    Attributes
    ----------
    logit
        Calibrated and fused.
    member_logits, disagreement
        One logit per member, and their standard deviation.
    anomaly_map
        Shape ``(64, 64)``, float32, 0..1, row and column of the newest frame.
    """

    logit: float
    member_logits: tuple[float, ...]
    disagreement: float
    anomaly_map: NDArray[np.float32]


class ScoringEndpoint(Protocol):
    """One server that may serve the ensemble."""

    @property
    def name(self) -> str:
        """Its address, as logs and metrics name it."""
        ...

    async def identify(self) -> EnsembleIdentity:
        """Ask the ensemble who it is and check its form against the contract.

        Raises
        ------
        EndpointError
            If it does not answer or is not loaded.
        FatalError
            If its tensors or parameters are not those of the contract.
        """
        ...

    async def beat(self) -> None:
        """Ask for a sign of life, within seconds.

        Raises
        ------
        EndpointError
            If it does not answer or the ensemble is not loaded.
        FatalError
            If we may not ask at all.
        """
        ...

    async def score_window(self, window: AlignedWindow) -> Verdict:
        """Return the verdict on a window that has at least one modality.

        Raises
        ------
        DeadStubError
            If the process behind one of the models is dead.
        EndpointError
            If the ensemble does not answer in time or fails.
        ContractViolation
            ``scoring_rejected`` if it refuses this window whatever the circumstances.
        FatalError
            If we may not ask at all.
        """
        ...

    async def reload(self, model: str) -> None:
        """Replace a model of the ensemble by a new instance of itself.

        Raises
        ------
        ReloadRefusedError
            If the server does not let us.
        EndpointError
            If it does not answer or the model does not load.
        """
        ...


class Scorer(Protocol):
    """The ensemble."""

    @property
    def outage(self) -> str | None:
        """One line while no endpoint would answer, as far as is known; else None."""
        ...

    async def identify(self) -> EnsembleIdentity:
        """Ask, before the first window, who the ensemble is that all verdicts will come from.

        Raises
        ------
        TransientError
            If it does not answer or is not loaded.
        FatalError
            If its tensors or parameters are not those of the contract.
        """
        ...

    async def score_window(self, window: AlignedWindow) -> Verdict:
        """Return the verdict on a window that has at least one modality.

        Raises
        ------
        TransientError
            If the ensemble does not answer in time or fails.
        ContractViolation
            ``scoring_rejected`` if it refuses this window whatever the circumstances.
        FatalError
            If another ensemble is served now: a restart takes it up.
        """
        ...

    async def watch(self) -> None:
        """Keep the connection to the ensemble working; runs until cancelled."""
        ...
