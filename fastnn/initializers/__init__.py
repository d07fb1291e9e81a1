"""First values of weights: Keras' initializers over the counter-based random numbers of fastnn.

`STFT`, which makes kernels of convolutions, is not provided.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import registry
from ..errors import check_array, invalid
from ..registry import make, spellings
from .base import Initializer, check_dtype, check_shape, compute_fans
from .constants import Constant, Ones, Zeros
from .matrices import Identity, Orthogonal
from .random import RandomNormal, RandomUniform, TruncatedNormal
from .scaling import GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform, VarianceScaling

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "compute_fans",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

zeros, ones, constant = Zeros, Ones, Constant
identity, IdentityInitializer = Identity, Identity
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
orthogonal, OrthogonalInitializer = Orthogonal, Orthogonal

NAMES = spellings(
    *(Zeros, Ones, Constant, Identity, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling),
    *(GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal),
    zero=Zeros,
    one=Ones,
    normal=RandomNormal,
    uniform=RandomUniform,
    IdentityInitializer=Identity,
    OrthogonalInitializer=Orthogonal,
)


def get(identifier: Any) -> Callable[..., np.ndarray] | None:
    """Return the initializer that `identifier` stands for.

    Parameters
    ----------
    identifier : str, class, callable, array, dict or None
        A name ('glorot_uniform', 'GlorotUniform'); a class, which is called; an initializer or any
        function of (shape, dtype), which is returned as it is; an array, which is the values of a weight of its
        shape; a config ``{"class_name": ..., "config": {...}}``; or None, for which None is returned.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest valid ones.
    TypeError
        For anything else.

    Examples
    --------
    >>> get("zeros")((2,), dtype="float64")
    array([0., 0.])
    >>> get({"class_name": "Constant", "config": {"value": 3.0}}).value
    3.0
    """
    if identifier is None:
        return None
    if isinstance(identifier, np.ndarray):
        return values(identifier)
    return make("initializer", identifier, NAMES, Initializer, wrap=lambda function: function)


def values(array: np.ndarray) -> Callable[..., np.ndarray]:
    """An initializer that gives the values of an array to weights of its shape."""
    kept = check_array("initializer", array).copy()

    def given(shape: Any, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        if dims != kept.shape:
            fix = "pass an array of the weight's shape, or Constant(array), which is broadcast"
            raise invalid("shape", f"{dims}", f"{kept.shape}, that of the array given as initializer", fix)
        return Constant(kept)(dims, checked)

    return given


def serialize(initializer: Any) -> Any:
    """The configuration of an initializer, from which `deserialize` makes an equal one.

    Raises
    ------
    ValueError
        A function that is not registered with `fastnn.saving.register_keras_serializable`, or an array.

    Examples
    --------
    >>> serialize(Constant(3.0))
    {'class_name': 'Constant', 'config': {'value': 3.0}}
    """
    return registry.serialize("initializer", initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer of a configuration.

    Parameters
    ----------
    config : dict or str
        What `serialize` gave.
    custom_objects : dict of str to class or function, optional
        Further names; they come first.

    Raises
    ------
    ValueError, TypeError
        As `get`.

    Examples
    --------
    >>> deserialize({"class_name": "Constant", "config": {"value": 3.0}}).value
    3.0
    """
    return registry.deserialize(config, custom_objects, get)
