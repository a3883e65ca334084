"""Designs for devices: read `device`, which makes the file that the runtime needs, then `graph` and `onnx`, for devices without NumPy."""
