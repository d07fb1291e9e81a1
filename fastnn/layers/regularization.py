"""Layers that act only while training, and a penalty of activities."""

import math
from collections.abc import Callable
from typing import Any

from .. import config, ops, regularizers
from ..errors import check_integer, check_number, is_one_of, not_provided, unknown
from ..ops.activations import SELU_ALPHA, SELU_SCALE
from ..record import Symbolic
from .base import Layer

SCALE_AT = ("training", "prediction")


class Random(Layer):
    """A layer that draws random numbers, which are a function of seed, layer, optimizer iteration, row and element."""

    def __init__(self, seed: int | None, **kwargs: Any):
        if seed is not None:
            expected, fix = "an integer from 0 to 2**32 - 1", "pass such an integer or leave it out"
            seed = check_integer("seed", seed, 0, expected, fix, 2**32 - 1)
        super().__init__(**kwargs)
        self.seed = seed
        self._stream = config.next_stream() if seed is None else seed
        self._eager_calls = 0

    def _draw(self, operation: Callable[..., Any], x: Any, **attrs: Any) -> Any:
        """``operation(x)`` with the random numbers of this layer."""
        if isinstance(x, Symbolic):
            return operation(x, stream=self._stream, **attrs)
        self._eager_calls += 1
        return operation(x, stream=self._stream, seed=config.seed(), iteration=self._eager_calls, **attrs)

    @staticmethod
    def _drops(x: Any, training: bool | None) -> bool:
        """Whether to drop: while training, and in a recording of samples (`fastnn.ensembles.mc_dropout`)."""
        return bool(training) or (training is None and isinstance(x, Symbolic) and x.recorder.samples)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"seed": self.seed}


def part_below_one(rate: Any) -> float:
    """A rate from 0 to below 1."""
    expected, fix = "a number from 0 to below 1", "pass for example 0.1"
    return check_number("rate", rate, 0, expected, fix, math.nextafter(1, 0))


class Dropout(Random):
    """Set a random part of the inputs to 0 while training, and make up for it.

    In either of two forms (Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
    overfitting", sections 4 and 10):

    ================ ============================================ ====================
    `scale_at`       while training                               in predictions
    ================ ============================================ ====================
    ``"training"``   ``x / (1 - rate)`` or 0                      x
    ``"prediction"`` x or 0                                       ``x (1 - rate)``
    ================ ============================================ ====================

    Both predict with the mean of what training sees. The second one is *weight-scaling inference*: behind one layer of
    softmax it predicts the normalized geometric mean of all networks that training draws from (Hinton et al. 2012,
    "Improving neural networks by preventing co-adaptation of feature detectors").

    The mask is a function of seed, layer, optimizer iteration, row and element, so it does not
    depend on the number of threads. It is the same in both forms.

    Parameters
    ----------
    rate : float
        Part to drop, from 0 to 1.
    noise_shape : None
        Not provided yet.
    seed : int, optional
        Number of the random stream; default: the next free one.
    scale_at : {"training", "prediction"}, default "training"
        When to make up for what is dropped; Keras has only "training".
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.Dropout(0.5)(np.ones((1, 2)))  # nothing happens outside training
    array([[1., 1.]])
    >>> layers.Dropout(0.25, scale_at="prediction")(np.ones((1, 2)))
    array([[0.75, 0.75]])
    """

    def __init__(
        self,
        rate: float,
        noise_shape: None = None,
        seed: int | None = None,
        scale_at: str = "training",
        **kwargs: Any,
    ):
        self.rate = check_number("rate", rate, 0, "a number from 0 to 1", "pass the part of the inputs to drop", 1)
        not_provided(noise_shape=noise_shape)
        if not is_one_of(scale_at, SCALE_AT):
            raise unknown("scale_at", scale_at, SCALE_AT)
        self.scale_at = scale_at
        super().__init__(seed, **kwargs)

    def call(self, x: Any, training: bool | None = None) -> Any:
        drops, scales = self._drops(x, training), self.scale_at == "training"
        if self.rate == 0 or (scales and not drops):
            return x
        if self.rate == 1:
            return ops.fill(x, value=0.0)
        if not drops:
            return x * (1 - self.rate)
        return self._draw(ops.dropout if scales else ops.drop, x, rate=self.rate)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"rate": self.rate}
        return config if self.scale_at == "training" else config | {"scale_at": self.scale_at}


class GaussianNoise(Random):
    """Add normal numbers of mean 0 while training.

    Parameters
    ----------
    stddev : float
        Their standard deviation, from 0 to 1.
    seed : int, optional
        Number of the random stream; default: the next free one.
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.GaussianNoise(0.5)(np.ones((1, 2)))  # nothing happens outside training
    array([[1., 1.]])
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any):
        self.stddev = check_number(
            "stddev", stddev, 0, "a number from 0 to 1", "scale the inputs if 1 is too little", 1
        )
        super().__init__(seed, **kwargs)

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self._draw(ops.gaussian_noise, x, stddev=self.stddev) if training and self.stddev else x

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"stddev": self.stddev}


class GaussianDropout(Random):
    """Multiply by normal numbers of mean 1 and standard deviation ``sqrt(rate / (1 - rate))`` while training.

    These are mean and standard deviation of the factors of `Dropout` (Srivastava et al. 2014, section 10).

    Parameters
    ----------
    rate : float
        From 0 to below 1, where the standard deviation would be infinite.
    seed : int, optional
        Number of the random stream; default: the next free one.
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.GaussianDropout(0.5)(np.ones((1, 2)))  # nothing happens outside training
    array([[1., 1.]])
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        self.rate = part_below_one(rate)
        super().__init__(seed, **kwargs)

    def call(self, x: Any, training: bool | None = None) -> Any:
        if not self._drops(x, training) or self.rate == 0:
            return x
        return self._draw(ops.gaussian_dropout, x, stddev=math.sqrt(self.rate / (1 - self.rate)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate}


class AlphaDropout(Random):
    """Dropout for networks of SELU units: mean 0 and variance 1 stay what they are.

    While training, a random part of the inputs becomes ``a' = -scale * alpha``, the lower end of SELU; then all
    become ``a x + b`` with ``a = ((1 - rate) (1 + rate a'^2))^(-1/2)`` and ``b = -a rate a'``. Klambauer et al.
    (2017), "Self-normalizing neural networks".

    Parameters
    ----------
    rate : float
        Part of the inputs, from 0 to below 1, where a would be infinite.
    noise_shape : None
        Not provided yet.
    seed : int, optional
        Number of the random stream; default: the next free one.
    **kwargs
        `name`, `input_shape`, `activity_regularizer`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layers.AlphaDropout(0.5)(np.ones((1, 2)))  # nothing happens outside training
    array([[1., 1.]])
    """

    def __init__(self, rate: float, noise_shape: None = None, seed: int | None = None, **kwargs: Any):
        self.rate = part_below_one(rate)
        not_provided(noise_shape=noise_shape)
        super().__init__(seed, **kwargs)

    def call(self, x: Any, training: bool | None = None) -> Any:
        if not self._drops(x, training) or self.rate == 0:
            return x
        rate, low = self.rate, -SELU_SCALE * SELU_ALPHA
        a = ((1 - rate) * (1 + rate * low**2)) ** -0.5
        kept = self._draw(ops.dropout, x - low, rate=rate)  # (x - low) / (1 - rate), or 0
        return kept * (a * (1 - rate)) + (a * low - a * rate * low)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate}


class ActivityRegularization(Layer):
    """Add ``l1 * sum(abs(x)) + l2 * sum(x ** 2)``, divided by the number of samples, to the loss; give on x as it is.

    Parameters
    ----------
    l1, l2 : float, default 0
        At least 0 and finite.
    **kwargs
        `name`, `input_shape`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers
    >>> layer = layers.ActivityRegularization(l1=0.5)
    >>> layer(np.array([[1.0, -2.0], [3.0, 0.0]])).shape
    (2, 2)
    >>> [float(loss) for loss in layer.losses]
    [1.5]
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        penalty = regularizers.L1L2(l1, l2)
        super().__init__(activity_regularizer=penalty, **kwargs)
        self.l1, self.l2 = penalty.l1, penalty.l2

    def call(self, x: Any) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"l1": self.l1, "l2": self.l2}
        del config["activity_regularizer"]
        return config
