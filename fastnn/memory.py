"""The arrays behind a program, and its buffers as views of them."""

import numpy as np

from .ops.layout import row_major
from .ops.table import concrete
from .program import DATA, ROWS, STEP, VARIABLE, Program
from .variable import Variable


class Memory:
    """The arrays that the areas of a program are bound to in one run."""

    def __init__(
        self,
        program: Program,
        variables: list[Variable],
        data: dict[str, np.ndarray],
        own: dict[int, np.ndarray] | None = None,
    ):
        given = iter(variables)
        self.program = program
        self.arrays: list[np.ndarray | None] = [
            next(given).value if area.kind == VARIABLE else (own or {}).get(i, data.get(area.name))
            for i, area in enumerate(program.areas)
        ]

    def view(self, i: int, batch: int, first: int, rows: int) -> np.ndarray:
        """The array of buffer i on a batch, nothing copied."""
        buffer = self.program.buffers[i]
        area, memory = self.program.areas[buffer.area], self.arrays[buffer.area]
        assert memory is not None
        if area.kind == STEP:
            memory = memory[batch : batch + 1]
        elif area.kind == ROWS:
            memory = memory[first : first + rows]
        elif area.kind == DATA and buffer.shape[:1] == (None,):
            rows = len(memory)
        dtype = np.dtype(buffer.dtype)
        flat = memory.reshape(-1).view(dtype)[buffer.offset // dtype.itemsize :]
        strides = (buffer.layout or row_major(buffer.shape)).strides
        return np.lib.stride_tricks.as_strided(
            flat, concrete(buffer.shape, rows), [n * dtype.itemsize for n in strides]
        )
