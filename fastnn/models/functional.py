"""The graph of a functional model: from inputs to outputs through calls of layers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .. import tree
from ..errors import invalid, is_one_of, show, unknown
from ..layers.base import Layer, unique
from ..layers.core import InputLayer
from ..layers.graph import KerasTensor, Node
from ..layers.operation import Operation
from ..registry import name_of, registered


class Graph:
    """Which layers are called on what, found by walking back from the outputs.

    Parameters
    ----------
    inputs, outputs : nested structure of KerasTensor

    Raises
    ------
    ValueError
        The outputs cannot be computed from the inputs, or two layers have one name.
    TypeError
        Something is not a `KerasTensor`.

    Attributes
    ----------
    nodes : list of Node
        The calls in an order in which they can run.
    layers : list of Layer
        In Keras' order: the farther from the outputs the sooner, and those equally far as they are met.
    """

    def __init__(self, inputs: Any, outputs: Any):
        for argument, structure in (("inputs", inputs), ("outputs", outputs)):
            found = tree.flatten(structure)
            for tensor in found:
                if not isinstance(tensor, KerasTensor):
                    fix = "pass what Input() or a layer called on it gave"
                    raise invalid(argument, show(tensor), "arrays of a functional model", fix, TypeError)
            if not found:
                raise invalid(argument, show(structure), "at least one array", "pass what Input() gave", TypeError)
        self.inputs, self.outputs = inputs, outputs
        begin = tree.flatten(inputs)
        if len({id(tensor) for tensor in begin}) < len(begin):
            raise invalid("inputs", "the same input twice", "inputs that differ", "leave one of them out")
        self.begin = {
            id(tensor): tensor if is_input(tensor) else InputLayer(tensor.shape[1:], f"{name}_input").tensor()
            for tensor, name in zip(begin, names_of(inputs), strict=True)
        }
        self.nodes, self.layers = self._sorted()
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise invalid(
                    "layers", f"{names.count(name)} named {name!r}", "names that differ", "give each a name of its own"
                )

    @property
    def entries(self) -> Any:
        """The arrays that data are given for: the inputs, each that a layer makes replaced by an `Input` like it."""
        return tree.map_structure(lambda tensor: self.begin[id(tensor)], self.inputs)

    def parents(self, node: Node) -> list[Node]:
        """The calls that make the inputs of a call: nothing lies behind the inputs of the graph."""
        return [] if node.inputs is None else [self.maker(tensor) for tensor in tree.leaves(node.inputs)]

    def maker(self, tensor: KerasTensor) -> Node:
        """The call that makes an array."""
        return self.begin.get(id(tensor), tensor).node

    def _sorted(self) -> tuple[list[Node], list[Layer]]:
        begin = {id(tensor.node) for tensor in self.begin.values()}
        finished: list[Node] = []
        known: set[int] = set()
        met: dict[int, int] = {}  # the layers in the order in which the walk meets them
        for output in tree.leaves(self.outputs):
            waiting = [(self.maker(output), False)]  # not recursive: a model may be thousands of layers deep
            while waiting:
                node, done = waiting.pop()
                if done:
                    finished.append(node)
                elif id(node) not in known:
                    known.add(id(node))
                    met.setdefault(id(node.layer), len(met))
                    if node.inputs is None and id(node) not in begin:
                        raise self._disconnected(node)
                    waiting.append((node, True))
                    waiting += [(parent, False) for parent in reversed(self.parents(node))]
        depths: dict[int, int] = {}
        of_layers: dict[int, int] = {}
        layers: dict[int, Layer] = {}
        for node in reversed(finished):
            depth = max(depths.get(id(node), 0), of_layers.get(id(node.layer), 0))
            depths[id(node)] = of_layers[id(node.layer)] = depth
            layers[id(node.layer)] = node.layer
            for parent in self.parents(node):
                depths[id(parent)] = max(depths.get(id(parent), 0), depth + 1)
        for tensor in self.begin.values():
            layer = tensor.node.layer
            if id(layer) not in layers:  # no output needs it
                layers[id(layer)], of_layers[id(layer)], met[id(layer)] = layer, 0, -1
        order = sorted(layers.values(), key=lambda layer: (-of_layers[id(layer)], met[id(layer)]))
        return [node for node in finished if node.inputs is not None], order

    def _disconnected(self, node: Node) -> Exception:
        known = ", ".join(map(repr, names_of(self.inputs)))
        return invalid(
            "outputs",
            f"one that needs the input {node.layer.name!r}",
            f"outputs that can be computed from the inputs {known}",
            f"add {node.layer.name!r} to the inputs",
        )

    def run(self, x: Any, call: Callable[[Node, Any], Any]) -> Any:
        """The outputs for inputs of the same structure, with ``call(node, inputs)`` for each node."""
        given = zip(tree.leaves(self.inputs), tree.leaves(x), strict=True)
        values = {id(tensor): value for tensor, value in given}
        for node in self.nodes:
            made = call(node, tree.map_structure(lambda tensor: values[id(tensor)], node.inputs))
            for tensor, value in zip(tree.leaves(node.outputs), tree.leaves(made), strict=True):
                values.setdefault(id(tensor), value)  # one that is an input, too, stays what was given
        return tree.map_structure(lambda tensor: values[id(tensor)], self.outputs)

    def is_chain(self) -> bool:
        """Whether each call has one input and gives one other call its input, and no layer is called twice."""
        calls, inputs = self.calls(), [tree.flatten(node.inputs) for node in self.nodes]
        parents = {id(self.maker(tensor)) for tensors in inputs for tensor in tensors}
        one_each = all(len(tensors) == 1 for tensors in inputs) and len(parents) == len(inputs)
        return one_each and len(tree.flatten(self.inputs)) == 1 and all(len(nodes) == 1 for nodes in calls.values())

    def connections(self) -> dict[int, str]:
        """What each layer is called on, by its id: the name of a layer, the number of its call and of the output."""
        calls = self.calls()
        texts = {}
        for layer, nodes in calls.items():
            tensors = [tensor for node in nodes for tensor in tree.leaves([] if node.inputs is None else node.inputs)]
            found = [self.sources(tensor, calls) for tensor in tensors]
            texts[layer] = ", ".join(f"{name}[{call}][{place}]" for name, call, place in found) or "-"
        return texts

    # Configuration, in the form of Keras 3

    def calls(self) -> dict[int, list[Node]]:
        """The calls of each layer within this graph, by the layer's id."""
        nodes = unique([tensor.node for tensor in self.begin.values()] + self.nodes)
        return {id(layer): [node for node in nodes if node.layer is layer] for layer in self.layers}

    def sources(self, structure: Any, calls: dict[int, list[Node]]) -> Any:
        """For each array the layer that makes it, in which of its calls, and as which output."""

        def source(tensor: KerasTensor) -> list[Any]:
            tensor = self.begin.get(id(tensor), tensor)
            number = next(i for i, node in enumerate(calls[id(tensor.node.layer)]) if node is tensor.node)
            place = next(i for i, out in enumerate(tree.leaves(tensor.node.outputs)) if out is tensor)
            return [tensor.node.layer.name, number, place]

        return tree.map_structure(source, structure)

    def get_config(self) -> dict[str, Any]:
        """Layers, their calls, and which of these give the inputs and outputs."""
        calls = self.calls()

        def reference(tensor: KerasTensor) -> dict[str, Any]:
            history = {"keras_history": self.sources(tensor, calls)}
            return {"class_name": TENSOR, "config": {"shape": tensor.shape, "dtype": tensor.dtype} | history}

        layers = [
            layer_config(
                layer,
                name=layer.name,
                inbound_nodes=[
                    {"args": [tree.map_structure(reference, node.inputs)], "kwargs": {"training": node.training}}
                    for node in calls[id(layer)]
                    if node.inputs is not None
                ],
            )
            for layer in self.layers
        ]
        return {
            "layers": layers,
            "input_layers": self.sources(self.inputs, calls),
            "output_layers": self.sources(self.outputs, calls),
        }

    @classmethod
    def tensors(cls, config: dict[str, Any]) -> tuple[Any, Any]:
        """Inputs and outputs, with new layers, from what `get_config` gave."""
        entries = config.get("layers")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise unreadable(show(config), "a dict with a list of layers", TypeError)
        made: dict[str, Layer] = {}
        outputs: dict[tuple[str, int], list[KerasTensor]] = {}  # of the calls by layer and number
        waiting: list[tuple[str, int, Any, Any]] = []
        for entry in entries:
            layer = layer_from_config(entry)
            made[layer.name] = layer
            if isinstance(layer, InputLayer):
                outputs[layer.name, 0] = [layer.tensor()]
            waiting += [(layer.name, number, *call) for number, call in enumerate(calls_in(entry))]

        def tensor(source: Source) -> KerasTensor:
            call = outputs.get((source.layer, source.call), [])
            if source.place >= len(call):
                raise unreadable(f"a request for {source}", "one for an array that a layer makes")
            return call[source.place]

        while waiting:
            later = []
            for name, number, inputs, training in waiting:
                if all((source.layer, source.call) in outputs for source in tree.leaves(inputs)):
                    outputs[name, number] = tree.flatten(made[name](tree.map_structure(tensor, inputs), training))
                else:
                    later.append((name, number, inputs, training))
            if len(later) == len(waiting):
                received = f"a call of {later[0][0]!r} on what no layer makes, or in a circle"
                raise unreadable(received, "layers that can be called one after the other")
            waiting = later
        ends = (sources_in(config.get(key)) for key in ("input_layers", "output_layers"))
        inputs, ends_at = (tree.map_structure(tensor, end) for end in ends)
        return inputs, ends_at


TENSOR, SHARED = "__keras_tensor__", "shared_object_id"


@dataclass(frozen=True)
class Source:
    """Which layer makes an array, in which of its calls, and as which of its outputs."""

    layer: str
    call: int
    place: int


def unreadable(received: str, expected: str, error: type[Exception] = ValueError) -> Exception:
    """The error of a configuration that `get_config` did not give."""
    return invalid("config", received, expected, "pass what get_config() gave", error)


def is_source(value: Any) -> bool:
    """Whether these are the parts of a `Source`."""
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not isinstance(value[0], str):
        return False
    return all(isinstance(n, int) and n >= 0 for n in value[1:])


def sources_in(structure: Any) -> Any:
    """The structure with a `Source` for each of its references to an array."""
    if isinstance(structure, dict) and structure.get("class_name") == TENSOR:
        config = structure.get("config")
        structure = config.get("keras_history") if isinstance(config, dict) else None
    if is_source(structure):
        return Source(*structure)
    if not tree.is_nested(structure):
        raise unreadable(show(structure), "the name of a layer, the number of its call and that of the output")
    made = [(key, sources_in(part)) for key, part in tree.children(structure)]
    return dict(made) if isinstance(structure, dict) else [part for _, part in made]


def calls_in(entry: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Inputs, as `Source`, and the argument `training` of each call of a layer."""
    for call in entry.get("inbound_nodes", []):
        args = call.get("args") if isinstance(call, dict) else None
        kwargs = call.get("kwargs") if isinstance(call, dict) else None
        if not isinstance(args, (list, tuple)) or len(args) != 1 or not isinstance(kwargs, dict):
            raise unreadable(f"the call {show(call)}", "a dict of args and kwargs")
        yield sources_in(args[0]), kwargs.get("training")


def names_of(structure: Any) -> list[str]:
    """A name for each array of a structure: its key in a dict, else that of the layer that makes it, made unique."""
    if isinstance(structure, dict) and not any(tree.is_nested(value) for value in structure.values()):
        return [str(key) for key, _ in tree.children(structure)]
    names: list[str] = []
    for tensor in tree.leaves(structure):
        same = sum(name == tensor.name or name.startswith(f"{tensor.name}_") for name in names)
        names.append(f"{tensor.name}_{same}" if same and tensor.name in names else tensor.name)
    return names


def is_input(tensor: KerasTensor) -> bool:
    """Whether a graph begins with it."""
    return tensor.node.inputs is None


@dataclass
class Sharing(threading.local):
    """Layers that several models of one description have, while it is written or read in a block of `sharing`.

    Attributes
    ----------
    entries : dict of int to (Layer, list of dict), or None
        Each layer, by its id, and what was written of it. None outside of such a block.
    layers : dict of int to (dict, Layer)
        What was read, by "shared_object_id": the first entry, and the layer.
    """

    entries: dict[int, tuple[Layer, list[dict[str, Any]]]] | None = None
    layers: dict[int, tuple[dict[str, Any], Layer]] = field(default_factory=dict)


_sharing = Sharing()


@contextmanager
def sharing() -> Iterator[None]:
    """A ``with`` block in which a layer that is described several times has the same "shared_object_id" there, as in
    Keras, and entries with the same one make one layer.
    """
    before = _sharing.entries, _sharing.layers
    _sharing.entries, _sharing.layers = {}, {}
    try:
        yield
        shared = [entries for _, entries in _sharing.entries.values() if len(entries) > 1]
        for number, entries in enumerate(shared):
            for entry in entries:
                entry[SHARED] = number
    finally:
        _sharing.entries, _sharing.layers = before


def layer_config(layer: Layer, **more: Any) -> dict[str, Any]:
    """Class name and configuration of a layer, and more."""
    entry = {"class_name": kind_of(layer), "config": layer.get_config(), **more}
    if _sharing.entries is not None:
        _sharing.entries.setdefault(id(layer), (layer, []))[1].append(entry)
    return entry


def kind_of(layer: Layer) -> str:
    """Name of the class of a layer; Keras calls that of ``Model(inputs, outputs)`` Functional."""
    return {"Model": "Functional"}.get(type(layer).__name__, name_of(type(layer)))


def layer_from_config(entry: dict[str, Any]) -> Layer:
    """A layer from its class name and configuration."""
    number = entry.get(SHARED)
    if _sharing.entries is None or number is None:
        return new_layer(entry)
    if type(number) is not int:
        raise unreadable(f"{SHARED} {show(number)}", "a number")
    known = _sharing.layers.get(number)
    if known is None:
        _sharing.layers[number] = known = entry, new_layer(entry)
    if any(known[0].get(key) != entry.get(key) for key in ("class_name", "config")):
        raise unreadable(f"two configurations of {SHARED} {number}", "the same one for a shared layer")
    return known[1]


def new_layer(entry: dict[str, Any]) -> Layer:
    """A layer of its own from its class name and configuration."""
    from .. import layers, models

    known = {**vars(layers), **vars(models), "Functional": models.Model, "Operation": Operation}
    classes = {name: cls for name, cls in known.items() if isinstance(cls, type) and issubclass(cls, Layer)}
    classes |= registered(Layer)
    name = entry.get("class_name")
    if not is_one_of(name, classes):
        raise unknown("class_name", name, classes)
    config: Any = entry.get("config")
    config = config.copy() if isinstance(config, dict) else config  # from_config() of a class may take entries out
    return classes[str(name)].from_config(config)
