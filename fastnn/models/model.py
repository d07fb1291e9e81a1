"""Model: a layer made of layers that can be trained."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import config
from ..errors import check_flag, check_integer, invalid, is_one_of, not_provided, show, unknown
from ..layers.base import Layer
from ..ops.table import Shape
from ..record import Symbolic
from ..variable import Variable
from .summary import summary_text
from .training import Trainer


class Model(Trainer):
    """What all models share: layers, weights, training, prediction.

    Models are made with `Sequential`; models of inputs and outputs, and subclasses of one's own, are not
    provided yet.
    """

    def __init__(self, inputs: None = None, outputs: None = None, name: str | None = None):
        if inputs is not None or outputs is not None:
            raise self._only_sequential("inputs and outputs")
        super().__init__(name=name)
        self.layers: list[Layer] = []

    def _only_sequential(self, received: str) -> Exception:
        """The error for the ways of making a model that are not provided yet."""
        return invalid(
            type(self).__name__,
            received,
            "the layers of a Sequential (other models are not provided yet)",
            "write Sequential([first, second, ...])",
            TypeError,
        )

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape."""
        raise self._only_sequential("no list of layers")

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Outputs for `x`: an array computed at once, or symbols inside a recording.

        Parameters
        ----------
        x : array_like of shape (batch, ...)
        training : bool, optional
            True runs the layers as in training (dropout acts), with NumPy. Otherwise this is
            `predict` on one batch.
        """
        if isinstance(x, Symbolic) or (training is not None and check_flag("training", training)):
            return super().__call__(x, training)
        y = self.predict_on_batch(x)
        if self._adds_losses:  # programs for predictions leave none behind; NumPy does
            super().__call__(self._features(x), False)
        return y

    def _parts(self) -> list[Layer | Variable]:
        return [*self.layers]

    def _layers(self) -> list[Layer]:
        return self.layers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by position."""
        if name is not None:
            for layer in self.layers:
                if is_one_of(name, (layer.name,)):
                    return layer
            raise unknown("name", name, [layer.name for layer in self.layers])
        if index is not None:
            index = check_integer("index", index, -math.inf, "an integer", "pass the position of the layer")
        if index is None or not -len(self.layers) <= index < len(self.layers):
            raise invalid("index", index, f"an integer below {len(self.layers)}", "pass a name or a valid index")
        return self.layers[index]

    def summary(
        self,
        line_length: int | None = None,
        positions: None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: None = None,
    ) -> None:
        """Print the layers, their output shapes and their numbers of parameters.

        Parameters
        ----------
        line_length : int, default 80
        print_fn : callable, default print
            Called once, with the whole text.
        positions, expand_nested, show_trainable, layer_range
            Not provided yet; only the defaults are accepted.
        """
        not_provided(positions=positions, layer_range=layer_range)
        not_provided(False, expand_nested=expand_nested, show_trainable=show_trainable)
        if print_fn is not None and not callable(print_fn):
            raise invalid("print_fn", show(print_fn), "a function of the text", "leave it out to print", TypeError)
        rows = []
        for layer in self.layers:
            shape = layer.output_shape if layer.built else None
            rows.append((layer.name, type(layer).__name__, shape, layer.count_params() if layer.built else 0))
        trainable = sum(int(np.prod(v.shape)) for v in self.trainable_variables)
        total = sum(int(np.prod(v.shape)) for v in self.variables)
        kept = self.optimizer.count_params() if self.optimizer else 0
        itemsize = np.dtype(config.floatx()).itemsize
        text = summary_text(self.name, rows, trainable, total - trainable, line_length, kept, itemsize)
        (print_fn or print)(text)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape
