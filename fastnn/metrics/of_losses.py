"""Losses reported as metrics: the weighted mean of one value per sample, without the loss's reduction."""

from .. import losses
from ..losses import LABELS
from .base import MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """See `fastnn.losses.mean_squared_error`."""

    def __init__(self, name: str = "mean_squared_error", dtype: str | None = None):
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """See `fastnn.losses.mean_absolute_error`."""

    def __init__(self, name: str = "mean_absolute_error", dtype: str | None = None):
        super().__init__(losses.mean_absolute_error, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """See `fastnn.losses.binary_crossentropy`."""

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ):
        loss = losses.BinaryCrossentropy(from_logits, label_smoothing)  # checks them
        super().__init__(losses.binary_crossentropy, name, dtype, **loss.arguments)


class CategoricalCrossentropy(MeanMetricWrapper):
    """See `fastnn.losses.categorical_crossentropy`."""

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ):
        loss = losses.CategoricalCrossentropy(from_logits, label_smoothing, axis)
        super().__init__(losses.categorical_crossentropy, name, dtype, **loss.arguments)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """See `fastnn.losses.sparse_categorical_crossentropy`."""

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        axis: int = -1,
    ):
        loss = losses.SparseCategoricalCrossentropy(from_logits, axis=axis)
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, target=LABELS, **loss.arguments)
