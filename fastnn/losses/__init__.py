"""Losses: one value per sample, made with `fastnn.ops`, then weighted and reduced.

`loss` holds the base and its reductions. Each loss is a function of targets and predictions, and a class that keeps
its options; to add one, write both in the module of its family and list the class in `NAMES` below.
"""

from collections.abc import Callable
from typing import Any

from .. import registry
from ..errors import invalid, show
from ..registry import make, name_of, spellings
from .decisions import SparseZeroOne, ZeroOne, sparse_zero_one, zero_one
from .loss import FUNCTIONS, Loss, LossFunction, written
from .loss import HALVES as HALVES
from .loss import LABELS as LABELS
from .loss import VALUES as VALUES
from .loss import align_target as align_target
from .loss import logits_of as logits_of
from .loss import paired as paired
from .loss import squeeze_or_expand_to_same_rank as squeeze_or_expand_to_same_rank
from .loss import target_shape as target_shape
from .margins import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from .overlap import Dice, Tversky, dice, tversky
from .probabilistic import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from .regression import (
    CosineSimilarity,
    GaussianNLL,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Quantile,
    cosine_similarity,
    gaussian_nll,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    quantile,
)

FUNCTIONS.update(
    {
        function.__name__: function
        for function in (
            binary_crossentropy,
            binary_focal_crossentropy,
            categorical_crossentropy,
            categorical_focal_crossentropy,
            categorical_generalized_cross_entropy,
            categorical_hinge,
            cosine_similarity,
            dice,
            gaussian_nll,
            hinge,
            huber,
            kl_divergence,
            log_cosh,
            mean_absolute_error,
            mean_absolute_percentage_error,
            mean_squared_error,
            mean_squared_logarithmic_error,
            poisson,
            quantile,
            sparse_categorical_crossentropy,
            sparse_zero_one,
            squared_hinge,
            tversky,
            zero_one,
        )
    }
)

# Short names for losses, as Keras has them
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh
pinball = quantile

NAMES = spellings(
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    CosineSimilarity,
    Dice,
    GaussianNLL,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Quantile,
    SparseCategoricalCrossentropy,
    SparseZeroOne,
    SquaredHinge,
    Tversky,
    ZeroOne,
    mse=MeanSquaredError,
    MSE=MeanSquaredError,
    mae=MeanAbsoluteError,
    MAE=MeanAbsoluteError,
    mape=MeanAbsolutePercentageError,
    MAPE=MeanAbsolutePercentageError,
    msle=MeanSquaredLogarithmicError,
    MSLE=MeanSquaredLogarithmicError,
    bce=BinaryCrossentropy,
    BCE=BinaryCrossentropy,
    kld=KLDivergence,
    KLD=KLDivergence,
    kullback_leibler_divergence=KLDivergence,
    logcosh=LogCosh,
    pinball=Quantile,
)


def get(identifier: Any) -> Loss:
    """A loss by name, class, function, configuration or instance.

    Parameters
    ----------
    identifier : str, type, callable, dict or Loss
        Names are those of the classes, also as the functions are written, and short ones such as "mse".

    Raises
    ------
    ValueError, TypeError
        There is no such loss.

    Examples
    --------
    >>> from fastnn import losses
    >>> losses.get("mse").name
    'mean_squared_error'
    """
    names: dict[str, Any] = {**NAMES, "LossFunction": LossFunction} if isinstance(identifier, dict) else NAMES
    found: Loss = make("loss", identifier, names, Loss, wrap=LossFunction)
    return found


def serialize(loss: Any) -> Any:
    """The configuration of a loss, or the name of a function, from which `deserialize` makes an equal loss.

    Parameters
    ----------
    loss : Loss or callable

    Returns
    -------
    dict or str

    Raises
    ------
    ValueError
        A function that is neither of this module nor registered.

    Examples
    --------
    >>> from fastnn import losses
    >>> losses.serialize(losses.Huber(2.0))["config"]["delta"]
    2.0
    >>> losses.serialize(losses.mean_squared_error)
    'mean_squared_error'
    """
    if isinstance(loss, Loss):
        return {"class_name": name_of(type(loss)), "config": loss.get_config()}
    if isinstance(loss, type) or not callable(loss):
        raise invalid(
            "loss", show(loss), "a loss or a function", "pass an instance, as losses.get() gives it", TypeError
        )
    return written(loss)


def deserialize(config: Any, custom_objects: dict[str, Callable[..., Any]] | None = None) -> Loss:
    """The loss that `serialize` described.

    Parameters
    ----------
    config : dict or str
        What `serialize` gave.
    custom_objects : dict of str to type or callable, optional
        Further names; they come first.

    Returns
    -------
    Loss
        Of a function too.

    Raises
    ------
    ValueError, TypeError
        There is no such loss, or its arguments are wrong.

    Examples
    --------
    >>> from fastnn import losses
    >>> losses.deserialize(losses.serialize(losses.Huber(2.0))).arguments
    {'delta': 2.0}
    """
    if isinstance(config, dict) and config.get("class_name") == "function":
        config = config.get("config")
    return get(registry.deserialize(config, custom_objects, get))
