"""Layers that act only while training."""

from typing import Any

from .. import config, ops
from ..errors import check_integer, check_number, not_provided
from ..record import Symbolic
from .base import Layer


class Dropout(Layer):
    """Set a random part of the inputs to 0 while training, and scale the rest by 1 / (1 - rate).

    Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting".
    The mask is a function of seed, layer, optimizer iteration, row and element, so it does not
    depend on the number of threads.

    Parameters
    ----------
    rate : float
        Part to drop, from 0 to 1.
    noise_shape : None
        Not provided yet.
    seed : int, optional
        Number of the random stream; default: the next free one.
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Dropout(0.5)(np.ones((1, 2)))  # nothing happens outside training
    array([[1., 1.]])
    """

    def __init__(self, rate: float, noise_shape: None = None, seed: int | None = None, **kwargs: Any):
        self.rate = check_number("rate", rate, 0, "a number from 0 to 1", "pass the part of the inputs to drop", 1)
        not_provided(noise_shape=noise_shape)
        if seed is not None:
            expected, fix = "an integer from 0 to 2**32 - 1", "pass such an integer or leave it out"
            seed = check_integer("seed", seed, 0, expected, fix, 2**32 - 1)
        super().__init__(**kwargs)
        self.seed = seed
        self._stream = config.next_stream() if seed is None else seed
        self._eager_calls = 0

    def call(self, x: Any, training: bool | None = None) -> Any:
        if not training or self.rate == 0:
            return x
        if self.rate == 1:
            return ops.fill(x, value=0.0)
        if isinstance(x, Symbolic):
            return ops.dropout(x, rate=self.rate, stream=self._stream)
        self._eager_calls += 1
        return ops.dropout(x, rate=self.rate, stream=self._stream, seed=config.seed(), iteration=self._eager_calls)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate, "seed": self.seed}
