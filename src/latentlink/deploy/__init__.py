"""Designs for devices that run no Python or no NumPy: read `graph`, which builds ONNX graphs node by node, then `onnx`, the codec's two."""
