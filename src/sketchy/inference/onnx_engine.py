"""The engine for CPUs: ONNX Runtime, on an exported model."""

import threading
from contextlib import nullcontext

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sketchy.errors import CheckpointError
from sketchy.image import Kind
from sketchy.inference.engine import Engine, thread_count
from sketchy.inference.exported import ExportedModel

BATCH_SIZE = 4
"""Images per forward pass: the activations of more fall out of the caches of a core."""

FORWARD_PASSES = threading.BoundedSemaphore(thread_count())
"""Forward passes of several images that run at once, of all engines of the process: no more than cores."""


class OnnxEngine(Engine):
    """An engine on an exported model.

    A forward pass computes in the thread that calls it: as many at once as there are cores are faster than one on all
    cores, whose threads wait for each other at each of its layers, and there are never more threads than callers.
    """

    name = "ONNX Runtime"
    batch_size = BATCH_SIZE

    def __init__(self, exported: ExportedModel) -> None:
        self._exported = exported
        self.workers = thread_count()
        self._sessions: dict[Kind, onnxruntime.InferenceSession] = {}
        self._mutex = threading.Lock()

    def embed(self, pixels: NDArray[np.uint8], kind: Kind) -> NDArray[np.float32]:
        if not len(pixels):
            return np.empty((0, self._exported.description.embedding_size), np.float32)
        session = self._session(kind)
        with nullcontext() if len(pixels) == 1 else FORWARD_PASSES:  # a person may wait for a single image
            (embeddings,) = session.run(["embeddings"], {"images": pixels})
        return np.asarray(embeddings, np.float32)

    def share_cores(self) -> None:
        self.workers = max(1, thread_count() // 2)

    def _session(self, kind: Kind) -> onnxruntime.InferenceSession:
        """Return the session of a kind, which is made when it is first used: it takes longer than an embedding."""
        with self._mutex:
            if kind not in self._sessions:
                self._sessions[kind] = self._opened(kind)
            return self._sessions[kind]

    def _opened(self, kind: Kind) -> onnxruntime.InferenceSession:
        graph, weights = self._exported.graphs[kind], self._exported.weights
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # that of the caller
        options.log_severity_level = 4
        try:
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(weights[name]) for name in graph.weights]
            options.add_external_initializers(list(graph.weights), values)
            return onnxruntime.InferenceSession(graph.onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has a class for each of a dozen reasons, and some raise RuntimeError
            reason = str(error).strip().partition("\n")[0]
            raise CheckpointError(f"the exported model cannot be used: {reason}; export it again") from None
