"""An ONNX graph that is built node by node: what a codec needs of the operators, by names that say what they do.

All values have three axes, (channels, messages, numbers); an axis of channels or of messages that is 1 is broadcast. Only operators of
opset 17 are used, so that runtimes since 2022 read the files.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

OPSET, IR_VERSION = 17, 8
_LAST = 2  # the axis of numbers


def onnx_package() -> Any:
    """The package `onnx`; ImportError with the remedy where it is not installed."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError("ONNX files are written by the package onnx, which is not installed: pip install onnx") from error
    return onnx


class Graph:
    """A graph in the making; every method adds nodes and returns the name of their value.

    Args:
        name: of the graph.
    """

    def __init__(self, name: str) -> None:
        self._onnx = onnx_package()
        self._name = name
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: dict[str, Any] = {}

    def input(self, name: str, *axes: int | str) -> str:
        """A float32 input of these axes: numbers, or names of those that may have any length."""
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, self._onnx.TensorProto.FLOAT, axes))
        return name

    def output(self, name: str, value: str, *axes: int | str) -> str:
        """Give the value of a node out under a name, which is its name from then on, and is returned."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if own == value else own for own in names]
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, self._onnx.TensorProto.FLOAT, axes))
        return name

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """An array that the file has."""
        if name not in self._constants:
            self._constants[name] = self._onnx.numpy_helper.from_array(np.ascontiguousarray(value, dtype), name)
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node of one output."""
        name = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def number(self, value: float) -> str:
        """A constant of one number."""
        return self.constant(f"number {value!r}", np.array(value))

    def integers(self, *values: int) -> str:
        """A constant of integers, such as axes."""
        return self.constant(f"integers {values}", np.array(values), np.int64)

    def carry(self, value: str, given: int, wanted: int) -> str:
        """The first `wanted` numbers of a value that has `given`, or all of them and zeros after them."""
        if wanted == given:
            return value
        if wanted > given:
            return self.node("Pad", value, self.integers(0, 0, 0, 0, 0, wanted - given))
        return self.node("Slice", value, self.integers(0), self.integers(wanted), self.integers(_LAST))

    def gelu(self, value: str) -> str:
        """x (1 + erf(x / √2)) / 2, in the form that runtimes fuse into one operator."""
        erf = self.node("Erf", self.node("Div", value, self.number(2**0.5)))
        return self.node("Mul", self.node("Mul", value, self.node("Add", erf, self.number(1.0))), self.number(0.5))

    def energy(self, value: str) -> str:
        """Σ x² over the numbers of each message, that axis kept."""
        return self.node("ReduceSum", self.node("Mul", value, value), self.integers(_LAST), keepdims=1)

    def model(self, properties: dict[str, str], producer: str) -> Any:
        """The checked model, with properties in its metadata."""
        helper = self._onnx.helper
        constants: Sequence[Any] = list(self._constants.values())
        graph = helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name=producer)
        helper.set_model_props(model, properties)
        self._onnx.checker.check_model(model, full_check=True)
        return model
