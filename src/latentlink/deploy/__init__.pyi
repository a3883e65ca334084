from .device import export_device
from .onnx import export_onnx
from .over_air.air import AirSetting
from .over_air.processes import Reception, send_over_air
from .over_air.simulation import Arrival, measure_arrival, simulate_over_air

__all__ = [
    "AirSetting",
    "Arrival",
    "Reception",
    "export_device",
    "export_onnx",
    "measure_arrival",
    "send_over_air",
    "simulate_over_air",
]
