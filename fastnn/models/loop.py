"""The training loop's parts: chunks of batches, the search for what diverged, one caller at a time."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import config
from ..errors import NonFiniteError, invalid
from ..execute import NativeExecutor, NumpyExecutor
from ..optimizers import Optimizer
from ..program import ROWS, STEP
from .descent import Descent

# A C call runs as many batches as fit into this time, so that progress, callbacks and Ctrl-C get
# their turn while the cost of returning to Python stays far below a percent.
CHUNK_SECONDS = 0.03


@dataclass
class Pace:
    """How many batches the next chunk has: so many as fit into `CHUNK_SECONDS`, by what the last ones took."""

    batches: int = 1

    def note(self, batches: int, seconds: float) -> None:
        """Take notice of a chunk."""
        self.batches = max(1, min(4 * self.batches, int(batches * CHUNK_SECONDS / max(seconds, 1e-6))))


class Fixed(Pace):
    """As many batches in each chunk as one says."""

    def note(self, batches: int, seconds: float) -> None:
        pass


def chunks(
    samples: int, batch_size: int, pace: Pace, first: int = 0
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Cut the batches of an epoch, from the first one on, into chunks.

    Yields first and last row of the chunk, and per batch the start within it and the row count.
    The pace adapts to the time the caller took for the chunks before; results do not depend on it.
    """
    batches = -(-samples // batch_size)
    while first < batches:
        size = min(pace.batches, batches - first)
        starts = np.arange(size, dtype=np.int64) * batch_size
        low = first * batch_size
        high = min((first + size) * batch_size, samples)
        counts = np.minimum(batch_size, high - low - starts)
        began = time.perf_counter()
        yield low, high, starts, counts
        pace.note(size, time.perf_counter() - began)
        first += size


def diagnose(
    executor: NativeExecutor | NumpyExecutor | Descent,
    optimizer: Optimizer,
    prepared: dict[str, np.ndarray],
    order: np.ndarray,
    starts: np.ndarray,
    counts: np.ndarray,
    failed: int,
) -> NonFiniteError:
    """Run the batch that was not finite once more, step by step, and name the first culprit."""
    program = executor.stepwise().copy()
    program.steps = [step for step in program.steps if not step.update]  # NumPy might find it finite
    replay = NumpyExecutor(program, executor.variables, config.floatx())
    found: list[tuple[str, str]] = []

    def look(step: Any, outs: list[np.ndarray]) -> None:
        if not found and not all(np.isfinite(out).all() for out in outs if out.dtype.kind == "f"):
            found.append((step.op, step.label))

    replay.trace = look
    bound = {a.name: np.zeros((1, *a.shape), a.dtype) for a in program.areas if a.kind == STEP} | {
        a.name: order if a.name == "order" else np.zeros((len(order), *a.shape[1:]), a.dtype)
        for a in program.areas
        if a.kind == ROWS
    }
    iteration = optimizer._iterations.copy()
    replay.run(
        {**prepared, **bound},
        starts[failed : failed + 1],
        counts[failed : failed + 1],
        seed=config.seed(),
        iteration=iteration,
    )
    operation, layer = found[0] if found else ("", "")
    where = f", first in {operation}" + (f" of layer {layer!r}" if layer else "") if operation else ""
    if operation.startswith("gather"):
        where = ", first in the data"
    error = invalid(
        "loss or gradient",
        f"NaN or infinity at step {optimizer.iterations}{where}",
        "finite numbers",
        "lower the learning rate, scale the inputs, or look for NaN in the data; the weights are those "
        "after the last finite step",
        RuntimeError,
    )
    return NonFiniteError(str(error), optimizer.iterations, layer or None)


class Exclusive:
    """A ``with`` block that only one thread may be in; a second one gets an error, not a wait."""

    def __init__(self, lock: Any):
        self.lock = lock

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            raise invalid(
                "model",
                "a call while another one trains or evaluates it",
                "one at a time",
                "wait for the other call, or use a copy of the model",
                RuntimeError,
            )

    def __exit__(self, *exception: Any) -> None:
        self.lock.release()
