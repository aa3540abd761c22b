"""Reads the published recordings of fused magnesium furnaces (FMF-Benchmark, Wu et al. 2025)."""

from meltwatch_fmf_benchmark.errors import FormatError, NoRecordingsError
from meltwatch_fmf_benchmark.folder import open_recordings
from meltwatch_fmf_benchmark.playback import Playback, play
from meltwatch_fmf_benchmark.recording import Recording
from meltwatch_fmf_benchmark.repair import Repair

__all__ = [
    "FormatError",
    "NoRecordingsError",
    "Playback",
    "Recording",
    "Repair",
    "open_recordings",
    "play",
]
