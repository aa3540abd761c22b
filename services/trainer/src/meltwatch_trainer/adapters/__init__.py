"""Files in and out: ONNX, the model repository, the cache of windows."""
