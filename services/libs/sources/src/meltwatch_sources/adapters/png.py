"""Writes a picture as PNG."""

import os
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from meltwatch_chassis.whole_file import DRAFT
from numpy.typing import NDArray


def write_png(file: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture, shape ``(height, width, 3)``, as a whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    encoder = av.CodecContext.create("png", "w")
    encoder.height, encoder.width = picture.shape[:2]
    encoder.pix_fmt = "rgb24"
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    content = b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
    draft = file.with_name(f"{file.name}{DRAFT}")
    try:
        with draft.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
