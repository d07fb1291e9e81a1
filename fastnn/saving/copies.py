"""Copies of models, and pickles: what a file of them would hold, in memory."""

import copy
from typing import Any

import numpy as np

from .. import config
from ..layers.base import undone_on_error
from ..models import Model
from ..models.loop import Exclusive
from ..registry import custom_object_scope, name_of
from .container import Held
from .state import compile_arguments, own_classes, parts_of, restore_optimizer, restored


def reduced(model: Model) -> tuple[Any, ...]:
    """What ``__reduce__`` gives: a function that makes an equal model, and its arguments.

    Weights, streams of random numbers, the arguments of ``compile`` and the optimizer's state are in it, as in a file
    of `save_model`. Classes and functions of one's own go by reference, as in every pickle.
    """
    made = model._compiled
    with Exclusive(model._training):
        arrays, description = parts_of(model, compiles=False)
        arrays = {name: array.copy() for name, array in arrays.items()}
    classes: dict[str, type] = dict(own_classes(model))
    arguments = None
    if made is not None:
        for part in (made.optimizer, made.optimizer._learning_rate):
            if not type(part).__module__.startswith("fastnn."):
                classes[name_of(type(part))] = type(part)
        arguments = compile_arguments(model)
    return made_of, (arrays, description, classes, arguments)


def made_of(
    arrays: dict[str, np.ndarray],
    description: dict[str, Any],
    classes: dict[str, type],
    arguments: dict[str, Any] | None,
) -> Model:
    """The model that `reduced` took apart."""
    with custom_object_scope(classes), undone_on_error(), config.random_state(config.seed(), config._stream):
        held = Held(arrays, copy.deepcopy(description))
        model = restored(held, compiles=False)
        if arguments is not None:
            model.compile(**copy.deepcopy(arguments))  # so that no two models have one metric
            if model.built:
                restore_optimizer(held, model, description["optimizer"])
    return model
