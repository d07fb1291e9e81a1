"""Copies of models, and pickles: what a file of them would hold, in memory."""

from typing import Any

import numpy as np

from ..layers.base import Layer, undone_on_error
from ..models import Model
from ..registry import custom_object_scope
from .container import Held
from .state import own_classes, parts_of, restored


def reduced(model: Model) -> tuple[Any, ...]:
    """What ``__reduce__`` gives: a function that makes an equal model, and its arguments.

    Weights, streams of random numbers, the arguments of ``compile`` and the optimizer's state are in it, as in a file
    of `save_model`. Classes of one's own go by reference, as in every pickle.
    """
    return made_of, (*parts_of(model), own_classes(model))


def made_of(arrays: dict[str, np.ndarray], description: dict[str, Any], classes: dict[str, type[Layer]]) -> Model:
    """The model that `reduced` took apart."""
    with custom_object_scope(classes), undone_on_error():
        return restored(Held(arrays, description))
