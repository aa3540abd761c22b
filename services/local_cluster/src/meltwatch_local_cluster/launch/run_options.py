"""What the command line says about a run, and whose furnaces that are."""

from dataclasses import dataclass
from pathlib import Path

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.plant import read_plant
from meltwatch_fmf_benchmark import FormatError, open_recordings, play
from meltwatch_simulator import furnace_ids

from meltwatch_local_cluster.ports import RunSources


@dataclass(frozen=True)
class RunOptions:
    """What the command line says about a run.

    Attributes
    ----------
    sources
        Where frames and currents come from.
    furnaces
        How many to simulate, at least 1.
    duration_s
        Seconds of streaming, None until interrupted.
    seed
        Of the simulator.
    summary
        File to write the summary to, None for no file.
    recording
        Folder of the recordings, where they are the source.
    opcua
        Whether an OPC UA server shows the alarms.
    plant
        Plant file whose cameras and meters are watched, where they are the source.
    notify
        Channel file of a notify gateway, None for none.
    """

    sources: RunSources
    furnaces: int
    duration_s: float | None
    seed: int
    summary: Path | None
    recording: Path | None = None
    opcua: bool = False
    notify: Path | None = None
    plant: Path | None = None

    def furnace_ids(self) -> tuple[str, ...]:
        """Return the furnaces that this run's own producers publish.

        Raises
        ------
        ConfigurationError
            If recordings or the plant file are not of their form.
        """
        if self.sources is RunSources.NONE:
            return ()
        if self.plant is not None:
            return tuple(furnace.id for furnace in read_plant(self.plant).furnaces)
        if self.recording is None:
            return furnace_ids(self.furnaces)
        try:
            with open_recordings(self.recording) as recordings:
                return tuple(furnace.furnace_id for furnace in play(recordings, 0))
        except FormatError as error:
            raise ConfigurationError(f"--sources: {error}") from error
