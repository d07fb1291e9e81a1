"""Count the vector instructions that a kernel needs, with all kernels compiled on a counting vocabulary (slots.c)."""

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from fastnn.execute import NativeExecutor

FLAGS = ["-std=c11", "-O1", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi", "-shared", "-fPIC"]


class Counter:
    """The compiled `slots.c`."""

    def __init__(self):
        source = Path(__file__).with_suffix(".c")
        include = f"-I{source.parent.parent / 'csrc'}"
        with tempfile.TemporaryDirectory() as folder:  # a loaded library needs its file no more
            library = Path(folder, "slots.so")
            compiler = os.environ.get("CC", "cc").split()
            subprocess.run([*compiler, *FLAGS, include, source, "-o", library, "-lm"], check=True)
            self.library = ctypes.CDLL(str(library))

    def count(self, kernel: str, native: NativeExecutor, arguments: list[np.ndarray | None]) -> tuple[int, int]:
        """Slots of the multiply-add pipes and divisions, in vectors of 16 lanes, of a program of one step.

        `arguments` are its inputs, then the outputs that are not in place; they are written.
        """
        assert len(native.steps) == 1 and not native.steps["row_dims"].any()  # its sizes are those of whole arrays
        addresses = [None if a is None else a.ctypes.data for a in arguments]
        args, counts = (ctypes.c_void_p * len(addresses))(*addresses), (ctypes.c_int64 * 2)()
        step = ctypes.c_void_p(native.steps.ctypes.data)
        assert self.library.count(kernel.encode(), step, args, len(addresses), counts) == 0, kernel
        return counts[0], counts[1]
