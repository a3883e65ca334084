"""What devices run: files and graphs of a design for them, and a link between processes beside its simulation.

Read `device`, which writes the file that the runtime needs, `graph` and `onnx`, for devices that run no NumPy, then `over_air/`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
