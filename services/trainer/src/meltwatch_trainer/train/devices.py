"""Which device networks compute on."""

from enum import StrEnum

import torch

from meltwatch_trainer.errors import DeviceError


class DeviceName(StrEnum):
    """What a user may ask for."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


def chosen_device(name: DeviceName) -> torch.device:
    """Return the device: of ``auto`` a GPU if there is one.

    Raises
    ------
    DeviceError
        If there is no GPU but one is asked for.
    """
    if torch.cuda.is_available() and name is not DeviceName.CPU:
        return torch.device("cuda")
    if name is DeviceName.CUDA:
        raise DeviceError("expected a CUDA GPU, PyTorch finds none; use --device cpu or auto")
    return torch.device("cpu")


def described(device: torch.device) -> str:
    """Return what people call a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
