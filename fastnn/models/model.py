"""Model: a layer made of layers that can be trained."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import config, tree
from ..errors import (
    check_flag,
    check_integer,
    invalid,
    is_one_of,
    missing_method,
    not_provided,
    show,
    unknown,
)
from ..layers.base import Layer, undone_on_error, unique
from ..layers.graph import KerasTensor
from ..layers.operation import Operation
from ..record import Placeholder
from ..variable import Variable
from .functional import Graph, kind_of, names_of
from .summary import CONNECTED, TRAINABLE, summary_text
from .training import Trainer


class Model(Trainer):
    """Layers with inputs and outputs, that can be trained.

    ``Model(inputs, outputs)`` consists of the layers that lead from the inputs to the outputs: what `Input` gives,
    and what layers called on it give. A subclass keeps layers in its attributes and says in
    ``call(self, x, training=None)`` what it computes; it is built at its first data.

    Parameters
    ----------
    inputs : KerasTensor, or a list or dict of them
        What the model is called with has the same structure; data for a list may also come in a dict by the names
        of the inputs.
    outputs : KerasTensor, or a list or dict of them
    name : str, optional

    Raises
    ------
    ValueError
        An output needs an input that is not given, or two layers have the same name.
    TypeError
        `inputs` or `outputs` are not arrays of a functional model.

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> from fastnn import layers
    >>> left, right = fastnn.Input((2,), name="left"), fastnn.Input((3,), name="right")
    >>> joined = layers.Concatenate()([layers.Dense(4, activation="relu")(left), right])
    >>> model = fastnn.Model([left, right], layers.Dense(1)(joined))
    >>> model.predict({"left": np.zeros((5, 2)), "right": np.zeros((5, 3))}, verbose=0).shape
    (5, 1)
    >>> class Residual(fastnn.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = layers.Dense(2, activation="tanh")
    ...     def call(self, x):
    ...         return x + self.inner(x)
    >>> Residual()(np.zeros((1, 2)))
    array([[0., 0.]], dtype=float32)
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True):
        with undone_on_error():
            super().__init__(name=name, trainable=trainable)
            self._connect_to(inputs, outputs)

    def _connect_to(self, inputs: Any, outputs: Any) -> None:
        """Be the model between these arrays, or one of layers in attributes."""
        self._graph: Graph | None = None
        if inputs is None and outputs is None:
            if type(self) is Model:
                fix = "write Model(inputs, outputs), Sequential([first, second, ...]) or a subclass with call()"
                raise invalid("Model", "no inputs and outputs", "both of them", fix, TypeError)
            return
        if inputs is None or outputs is None:
            missing = "inputs" if inputs is None else "outputs"
            raise invalid(missing, "None", "what Input() or a layer called on it gave", "pass both", TypeError)
        self._graph = Graph(inputs, outputs)
        super().build(self._only(tree.shapes_of(inputs)))

    @staticmethod
    def _only(shapes: Any) -> Any:
        """The shape in a list of one, which is then that of a plain array."""
        alone = not isinstance(shapes, dict) and not tree.is_shape(shapes) and len(shapes) == 1
        return shapes[0] if alone and tree.is_shape(shapes[0]) else shapes

    @property
    def layers(self) -> list[Layer]:
        """The layers that this model consists of: in Keras' order, in the order of attributes in a subclass."""
        if self._graph is not None:
            return [layer for layer in self._graph.layers if not isinstance(layer, Operation)]
        return [part for part in unique(super()._parts()) if isinstance(part, Layer)]

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape: None for the batch, then the shape of a sample."""
        if self._graph is not None:
            return
        super().build(input_shape)
        self.compute_output_shape(input_shape)  # builds the layers inside

    def call(self, x: Any, training: bool | None = None) -> Any:
        """What the model computes; in a subclass written with layers and `fastnn.ops`."""
        if self._graph is None:
            raise missing_method(self, "call(self, x)", "write it with layers and functions of fastnn.ops")
        return self._graph.run(
            x, lambda node, inputs: node.layer._apply(inputs, training if node.training is None else node.training)
        )

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Outputs for `x`: arrays computed at once, or symbols inside a recording or a functional model.

        Parameters
        ----------
        x : array_like of shape (batch, ...), or a list or dict of them
        training : bool, optional
            True runs the layers as in training (dropout acts), with NumPy. Otherwise this is
            `predict` on one batch.
        """
        if type(x) is not np.ndarray or training is not None:
            symbolic = any(isinstance(leaf, Placeholder) for leaf in tree.leaves(x))
            if symbolic or (training is not None and check_flag("training", training)):
                if symbolic and self._graph is not None:
                    x = self._packed(self._symbols(x))
                elif not symbolic and self.built:
                    x = self._packed(self._features(x))
                y = super().__call__(x, training)
                return y if symbolic or self._graph is None else tree.shape_pack(self.output_shape, tree.leaves(y))
        y = self.predict_on_batch(x)
        if self._adds_losses:  # programs for predictions leave none behind; NumPy does
            super().__call__(self._packed(self._features(x)), False)
        return y

    def _symbols(self, x: Any) -> list[Any]:
        """The inputs of a call in a recording or a functional model, if they go with this model."""
        argument, names, shapes = f"input of model {self.name!r}", self.input_names, tree.shape_leaves(self.input_shape)
        if len(names) == 1 and isinstance(x, (list, tuple)) and len(x) == 1:
            x = x[0]
        found = self._parts_of(argument, x, "input")
        for name, part, shape in zip(names, found, shapes, strict=True):
            given = getattr(part, "shape", None)
            if not isinstance(given, tuple) or given[1:] != shape[1:]:
                received = show(part) if not isinstance(given, tuple) else f"shape {given} for {name!r}"
                raise invalid(argument, received, f"shape {shape}", "pass an array of that shape")
        return found

    def _parts(self) -> list[Layer | Variable]:
        if self._graph is None:
            return super()._parts()
        return [*self._graph.layers]

    def _layers(self) -> list[Layer]:
        return self._graph.layers if self._graph is not None else super()._layers()

    # Inputs and outputs

    @property
    def inputs(self) -> list[KerasTensor]:
        """The inputs as arrays of a functional model, flat."""
        return tree.flatten(self._connected().inputs)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The outputs as arrays of a functional model, flat."""
        return tree.flatten(self._connected().outputs)

    @property
    def input(self) -> Any:
        """The inputs in their structure, for models that begin where this one does."""
        return self._connected().inputs

    @property
    def output(self) -> Any:
        """The outputs in their structure, for models that go on where this one ends."""
        return self._connected().outputs

    def _connected(self) -> Graph:
        if self._graph is None:
            fix = "make it with Model(inputs, outputs), or call it on what Input() gives"
            raise invalid(f"model {self.name!r}", "a request for its arrays", "a functional model", fix, AttributeError)
        return self._graph

    @property
    def input_names(self) -> list[str]:
        """A name for each input: that of its `Input`, or its key."""
        if self._graph is None:
            return structure_names(self.build_shape, "input")
        return names_of(self._graph.entries)

    @property
    def output_names(self) -> list[str]:
        """A name for each output: that of the layer that makes it, or its key."""
        if self._graph is None:
            return structure_names(self.output_shape, "output")
        return names_of(self._graph.outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of the outputs for inputs of these shapes."""
        if self._graph is not None and input_shape == self.build_shape:
            return self._only(tree.map_structure(lambda tensor: tensor.shape, self._graph.outputs))
        return super().compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Name, layers, and how they are connected; a subclass with ``call()`` writes its own."""
        if self._graph is None:
            raise missing_method(self, "get_config(self)", "return the arguments that make an equal model")
        return {"name": self.name, "trainable": self.trainable} | self._graph.get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Model":
        """Make a model, with new weights, from what `get_config` gave."""
        if not isinstance(config, dict):
            raise invalid(f"config of {cls.__name__}", show(config), "a dict", "pass what get_config() gave", TypeError)
        if "layers" not in config:  # of a subclass
            return cls(**config)
        with undone_on_error():
            inputs, outputs = Graph.tensors(config)
            return cls(inputs, outputs, name=config.get("name"), trainable=config.get("trainable", True))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles hold what a file of the model would."""
        from ..saving.copies import reduced

        return reduced(self)

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the model to a file; see `fastnn.saving.save_model`."""
        from ..saving import save_model

        save_model(self, filepath, overwrite)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights to a file; see `fastnn.saving.save_weights`."""
        from ..saving import save_weights

        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Take the weights of a file; see `fastnn.saving.load_weights`."""
        from ..saving import load_weights

        load_weights(self, filepath)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by position."""
        if name is not None and index is not None:
            raise invalid("get_layer()", "a name and an index", "one of them", "leave the other one out")
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
        expand_nested : bool, default False
            Show the layers of models inside below them.
        show_trainable : bool, default False
            A further column says whether a layer with weights is trained (Y) or not (N).
        positions, layer_range
            Not provided yet; only the defaults are accepted.

        Notes
        -----
        If the layers are no chain, a column says what each is called on: the name of a layer, the number of its call
        and that of the output.
        """
        not_provided(positions=positions, layer_range=layer_range)
        expand_nested = check_flag("expand_nested", expand_nested)
        show_trainable = check_flag("show_trainable", show_trainable)
        if print_fn is not None and not callable(print_fn):
            raise invalid("print_fn", show(print_fn), "a function of the text", "leave it out to print", TypeError)
        graph = self._graph
        connections = None if graph is None or graph.is_chain() else graph.connections()

        def row(layer: Layer, prefix: str) -> list[Any]:
            shape = layer.output_shape if layer.built else None
            kind = layer.kind if isinstance(layer, Operation) else kind_of(layer)
            cells = [prefix + layer.name, kind, shape, layer.count_params() if layer.built else 0]
            if connections is not None:
                cells.append("-" if prefix else connections[id(layer)])
            if show_trainable:
                cells.append("-" if not layer.variables else "Y" if layer.trainable else "N")
            return cells

        def nested(layers: list[Layer], level: int) -> Iterator[list[Any]]:
            for layer in layers:
                yield row(layer, "   " * level + "└ " if level else "")
                if expand_nested and isinstance(layer, Model):
                    yield from nested(layer.layers, level + 1)

        trainable = sum(int(np.prod(v.shape)) for v in self.trainable_variables)
        total = sum(int(np.prod(v.shape)) for v in self.variables)
        text = summary_text(
            self.name,
            list(nested(self.layers if graph is None else graph.layers, 0)),
            trainable,
            total - trainable,
            line_length,
            self.optimizer.count_params() if self.optimizer else 0,
            np.dtype(config.floatx()).itemsize,
            [name for name, shown in ((CONNECTED, connections is not None), (TRAINABLE, show_trainable)) if shown],
        )
        (print_fn or print)(text)


def structure_names(shapes: Any, noun: str) -> list[str]:
    """Names for the shapes of a structure: keys of a dict, else ``output_1`` and so on."""
    if isinstance(shapes, dict) and all(tree.is_shape(value) for value in shapes.values()):
        return [str(key) for key, _ in tree.children(shapes)]
    count = 1 if shapes is None else len(tree.shape_leaves(shapes))
    return [f"{noun}_{i}" for i in range(1, count + 1)]
