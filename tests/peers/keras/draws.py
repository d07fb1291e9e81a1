"""`keras.random` for Keras' own tests, as far as it makes their data."""

from typing import Any

import numpy as np
from backend import convert_to_tensor


def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    values = np.random.default_rng(seed).uniform(minval, maxval, tuple(shape))
    return convert_to_tensor(values.tolist(), dtype)
