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


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """See `fastnn.losses.mean_absolute_percentage_error`."""

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: str | None = None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """See `fastnn.losses.mean_squared_logarithmic_error`."""

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: str | None = None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """See `fastnn.losses.log_cosh`."""

    def __init__(self, name: str = "logcosh", dtype: str | None = None):
        super().__init__(losses.log_cosh, name, dtype)


class Hinge(MeanMetricWrapper):
    """See `fastnn.losses.hinge`."""

    def __init__(self, name: str = "hinge", dtype: str | None = None):
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """See `fastnn.losses.squared_hinge`."""

    def __init__(self, name: str = "squared_hinge", dtype: str | None = None):
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """See `fastnn.losses.categorical_hinge`."""

    def __init__(self, name: str = "categorical_hinge", dtype: str | None = None):
        super().__init__(losses.categorical_hinge, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """See `fastnn.losses.kl_divergence`."""

    def __init__(self, name: str = "kl_divergence", dtype: str | None = None):
        super().__init__(losses.kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """See `fastnn.losses.poisson`."""

    def __init__(self, name: str = "poisson", dtype: str | None = None):
        super().__init__(losses.poisson, name, dtype)


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
    """See `fastnn.losses.sparse_categorical_crossentropy`; samples of `ignore_class` count, with the loss 0."""

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        loss = losses.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis)
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, target=LABELS, **loss.arguments)
