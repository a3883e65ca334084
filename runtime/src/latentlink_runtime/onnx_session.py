"""Sessions of ONNX Runtime: a graph that is held to the codec that it was made of, and one whose inputs of the channel are bound once."""

from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from latentlink_runtime.artifacts.artifact_file import MAX_FILE_BYTES, ArtifactError

Array = np.ndarray[Any, Any]

FORMAT = "1"


def session(path: Path, codec: str) -> Any:
    """The session of a graph, on one thread.

    Raises:
        ImportError: onnxruntime is not installed.
        OSError: the file cannot be read.
        ArtifactError: it is too large, no graph, of another format, or of another codec than that with this SHA-256.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("links on ONNX Runtime need onnxruntime, which is not installed: pip install onnxruntime") from error
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise ArtifactError(f"{path}: has {size} bytes, expected at most {MAX_FILE_BYTES}; no codec's graph is as large")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        made = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base but this
        raise ArtifactError(f"{path}: no ONNX graph that onnxruntime reads ({str(error)[:120]})") from error
    own = made.get_modelmeta().custom_metadata_map
    if own.get("latentlink.format") != FORMAT:
        raise ArtifactError(f"{path}: has the format {own.get('latentlink.format')}, expected {FORMAT}; export it again")
    if own.get("latentlink.codec") != codec:
        raise ArtifactError(f"{path}: was made of another codec, expected that of SHA-256 {codec[:12]}…; export it again from this file")
    return made


class BoundGraph:
    """One output of a graph as a function of messages: what the channel sets is bound once, memory once for each shape of messages.

    Threads may share it: one computes at a time.

    Args:
        session: of the graph, or None where its file is not there.
        inputs: the input that has the messages; the others, with an axis of channels.
        output: what is wanted of the graph.
        name: of the graph's file, for messages.
        batched: True where the link has an axis of channels of its own.
        symbols: (u, n_tx) where the output is complex symbols of these sizes, None where it is real numbers.

    Raises:
        ValueError: there is no session, or the graph has no such output.
    """

    def __init__(
        self,
        session: Any,
        inputs: tuple[str, dict[str, Array]],
        output: str,
        name: str,
        batched: bool,
        symbols: tuple[int, int] | None = None,
    ) -> None:
        sizes = {} if session is None else {found.name: found.shape[-1] for found in session.get_outputs()}
        if output not in sizes:
            lacks = "is not there" if session is None else "was exported without a head"
            raise ValueError(f"{output} cannot be computed: {name} {lacks}; export it again, and copy it to the device")
        self._given, self._feeds = inputs
        self._session, self._output, self._batched, self._symbols = session, output, batched, symbols
        self._channels = max(len(value) for value in self._feeds.values())
        self._width = sizes[output] if symbols is None else 2 * symbols[0] * symbols[1]
        self._binding = session.io_binding()
        for feed, value in self._feeds.items():
            _bind(self._binding.bind_input, feed, value)
        self._lock = Lock()
        self._shape: tuple[int, ...] = ()
        self._messages: Array = np.empty(0, np.float32)
        self._result: Array = self._messages

    def __call__(self, messages: Array) -> Array:
        """The output (…, n, numbers) of messages (n, w) or (channels, n, w), or (…, n, w) where the link has no axis of channels.

        Raises:
            ValueError: the axes of channels do not fit together.
        """
        with self._lock:
            if messages.shape != self._shape:
                self._bind_shape(messages.shape)
            np.copyto(self._messages, messages)
            if self._result.size:
                self._session.run_with_iobinding(self._binding)
            return self._result.copy()

    def _bind_shape(self, shape: tuple[int, ...]) -> None:
        """Memory for messages of a shape, and for the result as it is given back."""
        *lead, n, width = shape
        if self._batched and len(lead) > 1:
            raise ValueError(f"messages must have one axis of {self._channels} channels, got {tuple(lead)}")
        (batch,) = np.broadcast_shapes((prod(lead),), (self._channels,))
        messages = np.empty((prod(lead), n, width), np.float32)
        result = np.empty((batch, n, self._width), np.float32)
        if result.size:
            _bind(self._binding.bind_input, self._given, messages)
            _bind(self._binding.bind_output, self._output, result)
        axes = (batch, n) if self._batched else (*lead, n)
        given_back: Array = result if self._symbols is None else result.view(np.complex64)
        self._messages, self._result = messages.reshape(shape), given_back.reshape(*axes, *(self._symbols or (self._width,)))
        self._shape = shape


def _bind(bind: Any, name: str, value: Array) -> None:
    bind(name, "cpu", 0, np.float32, value.shape, value.ctypes.data)
