"""The rules of sources: time, choice of frames and samples, pictures, states. Pure."""
