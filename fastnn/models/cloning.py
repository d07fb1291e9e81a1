"""Models made anew: the same layers, connected in the same way, with weights of their own."""

from collections.abc import Callable
from typing import Any

from .. import tree
from ..errors import invalid, not_provided, show
from ..layers.base import Layer, undone_on_error
from ..layers.core import Input, InputLayer
from ..layers.graph import KerasTensor
from .functional import Graph, is_input
from .model import Model
from .sequential import Sequential


def anew(layer: Layer) -> Layer:
    """A layer with the same configuration."""
    return type(layer).from_config(layer.get_config())


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: None = None,
    recursive: bool = False,
) -> Model:
    """A model of new layers with new weights, connected as those of a model are; it is not compiled.

    Parameters
    ----------
    model : Model
    input_tensors : KerasTensor, or a list or dict of them, optional
        What the new model begins with, like the inputs of `model`; default: new ones of the same names.
    clone_function : callable, optional
        ``clone_function(layer)`` gives the layer that takes the place of `layer`, once for each layer but the inputs;
        default: one made from the same configuration. A model inside is one layer.
    call_function, recursive
        Not provided yet; only the defaults are accepted.

    Raises
    ------
    ValueError, TypeError
        `input_tensors` are not like the inputs of the model, `clone_function` does not give layers, or one of
        them is passed for a subclass with ``call()``, which is made anew from its own configuration.

    Examples
    --------
    >>> import fastnn
    >>> from fastnn import layers, models
    >>> model = fastnn.Sequential([layers.Dense(3, activation="relu", input_shape=(2,)), layers.Dense(1)])
    >>> twin = models.clone_model(model)
    >>> twin.set_weights(model.get_weights())
    >>> float(twin.predict([[1.0, 2.0]], verbose=0)[0, 0]) == float(model.predict([[1.0, 2.0]], verbose=0)[0, 0])
    True
    """
    not_provided(call_function=call_function)
    not_provided(False, recursive=recursive)
    if not isinstance(model, Model):
        raise invalid("model", show(model), "a model", "pass a Sequential or a Model", TypeError)
    if clone_function is not None and not callable(clone_function):
        raise invalid("clone_function", show(clone_function), "a function of a layer", "pass a function", TypeError)
    with undone_on_error():
        if isinstance(model, Sequential):
            return clone_sequential(model, input_tensors, clone_function or anew)
        if model._graph is not None:
            return clone_graph(model, model._graph, input_tensors, clone_function or anew)
        for argument, value in (("input_tensors", input_tensors), ("clone_function", clone_function)):
            if value is not None:
                fix = "leave it out, and write get_config() and from_config()"
                raise invalid(argument, f"one for the subclass {type(model).__name__}", "a functional model", fix)
        return type(model).from_config(model.get_config())


def cloned(layer: Layer, clone_function: Callable[[Layer], Layer]) -> Layer:
    made = clone_function(layer)
    if not isinstance(made, Layer):
        raise invalid("result of clone_function", show(made), "a layer", "return the layer to be used", TypeError)
    return made


def clone_sequential(model: Sequential, input_tensors: Any, clone_function: Callable[[Layer], Layer]) -> Sequential:
    layers = [cloned(layer, clone_function) for layer in model.layers]
    begin = [] if model._input is None else [anew(model._input)]
    if input_tensors is not None:
        given = tree.flatten(input_tensors)
        if len(given) != 1 or not isinstance(given[0], KerasTensor) or not is_input(given[0]):
            raise invalid("input_tensors", show(input_tensors), "what Input() gave", "pass one of them", TypeError)
        begin = [given[0].node.layer]
    return Sequential([*begin, *layers], trainable=model.trainable, name=model.name)


def clone_graph(model: Model, graph: Graph, input_tensors: Any, clone_function: Callable[[Layer], Layer]) -> Model:
    inputs = tree.map_structure(lambda tensor: Input(tensor.shape[1:], name=tensor.name), graph.entries)
    if input_tensors is not None:
        inputs = tree.map_structure(lambda tensor: tensor, input_tensors)
        if kinds(inputs) != kinds(graph.inputs):
            fix = "pass for each of them what Input() or a layer gave"
            raise invalid("input_tensors", show(input_tensors), f"ones like {kinds(graph.inputs)}", fix)
    clones = {id(la): cloned(la, clone_function) for la in graph.layers if not isinstance(la, InputLayer)}
    outputs = graph.run(inputs, lambda node, x: clones[id(node.layer)](x, node.training))
    kind = type(model) if type(model).__init__ is Model.__init__ else Model
    return kind(inputs, outputs, name=model.name, trainable=model.trainable)


def kinds(structure: Any) -> Any:
    """The shapes of the arrays of a functional model, None for anything else; tuples as lists."""
    if isinstance(structure, dict):
        return {key: kinds(value) for key, value in tree.children(structure)}
    if tree.is_nested(structure):
        return [kinds(value) for value in structure]
    return structure.shape if isinstance(structure, KerasTensor) else None
