"""Optimizers: how gradients change weights."""

from typing import Any

from .. import old_spellings, registry
from .. import schedules as schedules
from ..registry import make, spellings
from .adagrad import Adadelta, Adagrad
from .adam import Adam, Adamax, AdamW, Nadam
from .ftrl import Ftrl
from .lbfgs import LBFGS
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD
from .signs import Lion, Rprop

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "Rprop",
    "deserialize",
    "get",
    "serialize",
]

_ALL = (SGD, RMSprop, Adam, AdamW, Adamax, Nadam, Adagrad, Adadelta, Ftrl, Lion, Rprop, LBFGS)
NAMES = spellings(*_ALL, spell=str.lower)

for _optimizer in (Optimizer, *_ALL):
    old_spellings.accept(_optimizer, "__init__")


def get(identifier: Any) -> Optimizer:
    """An optimizer by name, class, configuration or instance.

    Examples
    --------
    >>> from fastnn import optimizers
    >>> optimizers.get("adam").learning_rate
    0.001
    """
    return make("optimizer", identifier, NAMES, Optimizer)


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The configuration of an optimizer, from which `get` and `deserialize` make an equal one, without its state.

    Examples
    --------
    >>> from fastnn import optimizers
    >>> optimizers.serialize(optimizers.SGD(0.5))["class_name"]
    'SGD'
    """
    return registry.serialize("optimizer", get(optimizer))


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
    """The optimizer of a configuration.

    Parameters
    ----------
    config : dict
        What `serialize` gave.
    custom_objects : dict of str to type, optional
        Further classes by their names.

    Examples
    --------
    >>> from fastnn import optimizers
    >>> optimizers.deserialize({"class_name": "SGD", "config": {"learning_rate": 0.5}}).learning_rate
    0.5
    """
    return get(registry.deserialize(config, custom_objects, get))
