"""Sequential: layers one after the other."""

from typing import Any

from .. import tree
from ..errors import invalid, show
from ..layers.base import Layer, sample_shape, undone_on_error
from ..layers.core import Input, InputLayer
from ..layers.graph import KerasTensor
from ..ops.table import Shape
from .functional import Graph, is_input, layer_config, layer_from_config
from .model import Model


class Sequential(Model):
    """A model whose layers follow one another.

    Parameters
    ----------
    layers : list of Layer, optional
        The first may be an `Input` or carry an ``input_shape``; the model is then built at once,
        else at its first data.
    trainable : bool, default True
    name : str, optional

    Examples
    --------
    >>> import fastnn
    >>> from fastnn import layers
    >>> model = fastnn.Sequential([layers.Dense(3, activation="relu", input_shape=(2,)), layers.Dense(1)])
    >>> model.count_params()
    13
    >>> model.predict([[0.0, 0.0]], verbose=0).shape
    (1, 1)
    """

    def __init__(self, layers: list[Layer] | None = None, trainable: bool = True, name: str | None = None, *more: Any):
        if isinstance(layers, Layer) or isinstance(trainable, Layer) or more:
            raise invalid(
                "layers",
                "layers as separate arguments",
                "one list of layers",
                "write Sequential([first, second, ...])",
                TypeError,
            )
        if not isinstance(layers, (list, tuple, type(None))):
            fix = "write Sequential([first, second, ...])"
            raise invalid("layers", show(layers), "a list of layers", fix, TypeError)
        with undone_on_error(layers or ()):
            super().__init__(name=name, trainable=trainable)
            self._sequence: list[Layer] = []
            self._input: InputLayer | None = None
            self._as_graph: Graph | None = None
            for layer in layers or []:
                self.add(layer)

    @property
    def layers(self) -> list[Layer]:
        """The layers in their order, without the `Input`."""
        return self._sequence

    @property
    def input_names(self) -> list[str]:
        return [self._input.name if self._input else "input_1"]

    @property
    def output_names(self) -> list[str]:
        return [self.layers[-1].name]

    def add(self, layer: Layer | KerasTensor) -> None:
        """Append a layer; it is built at once when its input shape is known.

        Raises
        ------
        ValueError
            The layer does not fit, or its name is taken; the model stays as it was.
        """
        if isinstance(layer, KerasTensor) and is_input(layer):
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            hint = "write Dense(...) with parentheses" if isinstance(layer, type) else "pass a layer"
            raise invalid("layer", show(layer), "a Layer", hint, TypeError)
        if layer.name in [known.name for known in self.layers]:
            raise invalid(
                "layer", f"a second layer named {layer.name!r}", "names that differ", "give one of them another name"
            )
        if isinstance(layer, InputLayer) and (self._input or self.layers):
            raise invalid(
                "layer",
                f"the Input {layer.name!r} after other layers",
                "an Input only at the beginning",
                "move it to the front",
            )
        shape, given = self.build_shape, layer.given_input_shape
        if given is None and isinstance(layer, Model) and layer.built:
            if not tree.is_shape(layer.input_shape):
                received, fix = f"the model {layer.name!r} with several inputs", "call it in a functional model"
                raise invalid("layer", received, "a layer of one array", fix)
            given = layer.input_shape[1:]
        if given is not None and not self.layers:
            if shape not in (None, (None, *given)):
                raise invalid(
                    f"input_shape of layer {layer.name!r}",
                    str(given),
                    f"{shape[1:]}, the shape of the Input before it",
                    "leave one of them out",
                )
            shape = (None, *given)
        if isinstance(layer, InputLayer):
            self._input = layer
        else:
            if shape is not None:
                self._build_layer(layer, self.compute_output_shape(shape), self.layers[-1:])
            self.layers.append(layer)
        self.build_shape, self.built = shape, shape is not None and bool(self.layers)
        self._disconnect()
        self._changed()

    def pop(self) -> Layer:
        """Remove and return the last layer."""
        if not self.layers:
            raise invalid("pop()", "a model without layers", "at least one layer", "add a layer first")
        layer = self.layers.pop()
        self.built = self.built and bool(self.layers)
        self._disconnect()
        self._changed()
        return layer

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape (None for the batch axis)."""
        if not self.layers:
            raise invalid(f"model {self.name!r}", "no layers", "at least one layer", "add layers first")
        if not isinstance(input_shape, (tuple, list)) or not input_shape or input_shape[0] is not None:
            fix = "pass for example (None, 784)"
            raise invalid("input_shape", show(input_shape), "a shape that begins with None", fix, TypeError)
        input_shape = shape = (None, *sample_shape("input_shape", input_shape[1:]))
        with self._undone_on_error():
            for i, layer in enumerate(self.layers):
                shape = self._build_layer(layer, shape, self.layers[:i][-1:])
        self.build_shape, self.built = input_shape, True

    @staticmethod
    def _build_layer(layer: Layer, shape: Shape, before: list[Layer]) -> Shape:
        built = layer.built
        try:
            layer.ensure_built(shape)
            made = layer.compute_output_shape(shape)
            if not tree.is_shape(made):
                fix = "use Model(inputs, outputs) for layers with several"
                raise invalid(f"output of layer {layer.name!r}", "several arrays", "one array", fix, TypeError)
            return made
        except Exception as error:
            if not built:
                layer.unbuild()
            if getattr(error, "parts", False):
                previous = f"the output of layer {before[0].name!r}" if before else "the input"
                error.args = (f"layer {layer.name!r} after {previous} of shape {shape}: {error}",)
            raise

    def call(self, x: Any, training: bool | None = None) -> Any:
        for layer in self.layers:
            x = layer(x, training)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def _parts(self) -> list[Any]:
        return [*self.layers]

    def _layers(self) -> list[Layer]:
        return self.layers

    def _connected(self) -> Graph:
        if not self.built:
            raise self.unbuilt("inputs and outputs")
        if self._as_graph is None:
            x = inputs = self._input.tensor() if self._input else Input(self.input_shape[1:])
            for layer in self.layers:
                x = layer(x)
            self._as_graph = Graph(inputs, x)
        return self._as_graph

    def _disconnect(self) -> None:
        """Forget the calls that made the graph of the layers as they were."""
        if self._as_graph is not None:
            for node in [*self._as_graph.nodes, *(tensor.node for tensor in tree.leaves(self._as_graph.inputs))]:
                node.layer._nodes = [known for known in node.layer._nodes if known() is not node]
            self._as_graph = None

    def get_config(self) -> dict[str, Any]:
        """Name and the layers' classes and configurations."""
        layers = ([self._input] if self._input else []) + self.layers
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": [layer_config(layer) for layer in layers],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Sequential":
        """Make a model, with new weights, from what `get_config` gave."""
        entries = config.get("layers") if isinstance(config, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise invalid(
                "config", show(config), "a dict with a list of layers", "pass what get_config() gave", TypeError
            )
        with undone_on_error():
            layers = [layer_from_config(entry) for entry in entries]
            return cls(layers, trainable=config.get("trainable", True), name=config.get("name"))
