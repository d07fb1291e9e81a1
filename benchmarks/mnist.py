"""MNIST for those who do not import fastnn: the files that it finds or has downloaded."""

import gzip
import os
from pathlib import Path

import numpy as np


def read(name: str) -> np.ndarray:
    """The uint8 array of one IDX file, by the name it has everywhere."""
    roots = [Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "fastnn")]
    if os.environ.get("FASTNN_DATA_DIR"):
        roots.insert(0, Path(os.environ["FASTNN_DATA_DIR"]))
    for path in (folder / f"{name}{end}" for root in roots for folder in (root / "mnist", root) for end in (".gz", "")):
        if path.is_file():
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            axes = content[3]
            shape = np.frombuffer(content, ">u4", axes, offset=4)
            return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)
    raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, roots))}")


def images(part: str) -> np.ndarray:
    """Images of "train" or "t10k" as rows of float32 from 0 to 1."""
    return read(f"{part}-images-idx3-ubyte").reshape(-1, 784).astype(np.float32) / np.float32(255)


def labels(part: str) -> np.ndarray:
    """Their labels as int64."""
    return read(f"{part}-labels-idx1-ubyte").astype(np.int64)
