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
    """One output of a graph as a function of messages: what the channel sets is bound once, the memory of the result once a shape.

    Threads may share it: one computes at a time.

    Args:
        session: of the graph, or None where its file is not there.
        given: the input that has the messages (batch, n, w).
        feeds: the other inputs, with an axis of channels.
        wanted: the output.
        name: of the graph's file, for messages.

    Raises:
        ValueError: there is no session, or the graph has no such output.
    """

    def __init__(self, session: Any, given: str, feeds: dict[str, Array], wanted: str, name: str) -> None:
        sizes = {} if session is None else {output.name: output.shape[-1] for output in session.get_outputs()}
        if wanted not in sizes:
            lacks = "is not there" if session is None else "was exported without a head"
            raise ValueError(f"{wanted} cannot be computed: {name} {lacks}; export it again, and copy it to the device")
        self._session, self._given, self._wanted = session, given, wanted
        self._channels = max(len(value) for value in feeds.values())
        self._width = feeds["beams"].shape[-1] if isinstance(sizes[wanted], str) else sizes[wanted]
        self._binding = session.io_binding()
        for feed, value in feeds.items():
            self._binding.bind_cpu_input(feed, value)
        self._feeds, self._shape, self._lock = feeds, (), Lock()
        self._result = np.empty(0, np.float32)

    def __call__(self, messages: Array) -> Array:
        """The output (batch or channels, n, numbers) of float32 messages (batch, n, w), each axis of channels of one size, or 1."""
        with self._lock:
            if messages.shape != self._shape:
                self._bind_result(messages.shape)
            if self._result.size:
                self._binding.bind_cpu_input(self._given, messages)
                self._session.run_with_iobinding(self._binding)
            return self._result.copy()

    def _bind_result(self, shape: tuple[int, ...]) -> None:
        (batch,) = np.broadcast_shapes((shape[0],), (self._channels,))
        self._result = np.empty((batch, shape[1], self._width), np.float32)
        if prod(self._result.shape):
            self._binding.bind_output(self._wanted, "cpu", 0, np.float32, self._result.shape, self._result.ctypes.data)
        self._shape = shape
