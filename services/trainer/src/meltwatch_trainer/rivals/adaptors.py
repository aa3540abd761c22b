"""What a new furnace's unlabelled hours teach about picture and currents together, in closed form.

A translator says what the picture should be by the currents, or the currents by the picture. An
alignment finds in what both agree. Of each remains what the two sides do not agree upon.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from meltwatch_core.portraits import NormalLaw, fit_law, fitted_count
from numpy.typing import NDArray

from meltwatch_trainer.unseen.watching import SeenWindows

FloatArray = NDArray[np.float64]

RIDGE: Final = 0.3
"""Of a standardised number's variance: numbers of the currents that say the same share a weight."""
AGREEMENTS: Final = 1
"""Directions of the currents with which the picture is aligned: a second did not hold later."""
_LEAST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Translator:
    """What one modality says in the words of the other: CMDIAD's mapping, as ridge regression.

    Attributes
    ----------
    mean, scale
        Shape ``(k,)``, of what is read.
    weights
        Shape ``(k, m)``.
    usual
        Shape ``(m,)``: what is said of a usual window.
    """

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    usual: FloatArray

    def translate(self, read: FloatArray) -> FloatArray:
        """Return what the other modality should be, ``(n, m)``, by ``(n, k)``."""
        said: FloatArray = (read - self.mean) / self.scale @ self.weights + self.usual
        return said


def fit_translator(read: FloatArray, said: FloatArray, ridge: float = RIDGE) -> Translator:
    """Learn to translate from windows of normal operation.

    Parameters
    ----------
    read, said
        Shapes ``(n, k)`` and ``(n, m)``, of the same windows.
    ridge
        How much smaller weights are preferred; 0 asks for the least squares.
    """
    mean, scale = read.mean(axis=0), read.std(axis=0) + _LEAST
    plain, usual = (read - mean) / scale, said.mean(axis=0)
    square = plain.T @ plain / len(read) + max(ridge, _LEAST) * np.eye(read.shape[1])
    weights = np.linalg.solve(square, plain.T @ (said - usual) / len(read))
    return Translator(mean, scale, weights, usual)


@dataclass(frozen=True, slots=True)
class Alignment:
    """Adaptors of both modalities: LSFA's compactness and agreement, as whitening and correlation.

    Attributes
    ----------
    patches, currents
        Laws that make each side compact: as far spread in every direction.
    of_current
        Shape ``(k, a)``: directions of the currents, orthonormal, most agreed upon first.
    of_patch
        Shape ``(places, k, a)``: each patch's unit direction that agrees with each of them.
    agreement
        Shape ``(places, a)``: correlation of the two, 0..1.
    """

    patches: NormalLaw
    currents: NormalLaw
    of_current: FloatArray
    of_patch: FloatArray
    agreement: FloatArray

    def disagreement(self, video: FloatArray, current: FloatArray) -> FloatArray:
        """Return how far each patch is from what the currents let expect, ``(n, places, a)``.

        Parameters
        ----------
        video, current
            Shapes ``(n, places, k)`` and ``(n, 1, k)``.
        """
        seen = np.einsum("npk,pka->npa", self.patches.whitened(video), self.of_patch)
        told = self.currents.whitened(current)[:, 0] @ self.of_current
        off: FloatArray = seen - self.agreement * told[:, None]
        return off


def fit_alignment(video: FloatArray, current: FloatArray, count: int = AGREEMENTS) -> Alignment:
    """Align both modalities of windows of normal operation.

    Each patch is aligned with the currents as a whole, by directions that all patches share: a
    local part with a global one. With directions of its own a patch agrees by chance.

    Parameters
    ----------
    video, current
        Shapes ``(n, places, k)`` and ``(n, 1, k)``, of the same windows.
    count
        How many directions of the currents are kept.
    """
    patches, currents = fit_law(video), fit_law(current)
    seen, told = patches.whitened(video), currents.whitened(current)[:, 0]
    shared = np.einsum("npk,nj->pkj", seen, told, optimize=True) / len(told)
    _, _, directions = np.linalg.svd(shared.reshape(-1, shared.shape[-1]), full_matrices=False)
    of_current = directions[:count].T
    of_patch = shared @ of_current
    agreement = np.linalg.norm(of_patch, axis=1)
    of_patch /= np.maximum(agreement, _LEAST)[:, None]
    return Alignment(patches, currents, of_current, of_patch, np.minimum(agreement, 1.0))


@dataclass(frozen=True, slots=True)
class Adaptors:
    """What a furnace's hours of normal operation taught about both modalities together.

    Attributes
    ----------
    to_video, to_current
        Translate the currents into patches, and the mean patch into currents.
    alignment
        In what both agree.
    """

    to_video: Translator
    to_current: Translator
    alignment: Alignment

    def told_video(self, seen: SeenWindows) -> FloatArray:
        """Return what the patches should be by the currents, shaped as the video."""
        return self.to_video.translate(seen.current[:, 0]).reshape(seen.video.shape)

    def told_current(self, seen: SeenWindows) -> FloatArray:
        """Return what the currents should be by the picture, shaped as the currents."""
        return self.to_current.translate(seen.video.mean(axis=1))[:, None]

    def translation(self, seen: SeenWindows) -> FloatArray:
        """Return how far the patches are from their translation."""
        return seen.video - self.told_video(seen)

    def disagreement(self, seen: SeenWindows) -> FloatArray:
        """Return how far the patches are from what they agree upon with the currents."""
        return self.alignment.disagreement(seen.video, seen.current)


def fit_adaptors(fit: SeenWindows) -> Adaptors:
    """Learn from the windows that make a portrait's law: what it holds out stays held out."""
    kept = fitted_count(len(fit.times_s))
    video, current = fit.video[:kept], fit.current[:kept]
    return Adaptors(
        fit_translator(current[:, 0], video.reshape(kept, -1)),
        fit_translator(video.mean(axis=1), current[:, 0]),
        fit_alignment(video, current),
    )


def explained(adaptors: Adaptors, later: SeenWindows) -> float:
    """Return which share of the pooled picture's variance the currents predict in later hours.

    The mean over the numbers of the mean patch; negative where the mean would do better.
    """
    pooled = later.video.mean(axis=1)
    missed = np.square(pooled - adaptors.told_video(later).mean(axis=1)).sum(axis=0)
    there = np.square(pooled - pooled.mean(axis=0)).sum(axis=0)
    return float(np.mean(1 - missed / there))
