"""The graph that functional models are made of: arrays without values, and the calls of layers that lead to them."""

from dataclasses import dataclass
from typing import Any

from .. import tree
from ..ops.table import Op, Shape
from ..record import Placeholder


@dataclass(frozen=True)
class Spec:
    """What is known of an array before there is one."""

    shape: Shape
    dtype: str


class KerasTensor(Placeholder):
    """An array of a functional model: what `Input` and calls of layers on such arrays give.

    Operators and functions of `fastnn.ops` on it become parts of the model, too.

    Attributes
    ----------
    shape : tuple
        ``None`` as the first entry stands for the rows of the batch.
    dtype : str
    node : Node
        The call that makes it.
    """

    __slots__ = ("__weakref__", "node")

    def __init__(self, shape: Shape, dtype: str, node: "Node"):
        self.shape, self.dtype, self.node = shape, dtype, node

    @property
    def name(self) -> str:
        """Name of the layer that makes it."""
        return str(self.node.layer.name)

    @property
    def recorder(self) -> "GraphRecorder":
        """What functions of `fastnn.ops` write to."""
        return GRAPH


class Node:
    """One call of a layer.

    Attributes
    ----------
    layer : Layer
    inputs : nested structure of KerasTensor
        None for an `InputLayer`, which begins a graph.
    training : bool or None
        The argument of the call.
    outputs : nested structure of KerasTensor
    """

    __slots__ = ("__weakref__", "inputs", "layer", "outputs", "training")

    def __init__(self, layer: Any, inputs: Any, training: bool | None = None):
        self.layer, self.inputs, self.training = layer, inputs, training
        self.outputs: Any = None

    @property
    def parents(self) -> list["Node"]:
        """The calls that make its inputs."""
        return [] if self.inputs is None else [tensor.node for tensor in tree.leaves(self.inputs)]


class GraphRecorder:
    """Makes a layer of each operation of `fastnn.ops` on a `KerasTensor`."""

    def record(self, row: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """The outputs of an operation, as those of a layer."""
        from .base import undone_on_error
        from .operation import Operation

        tensors = [value for value in args if isinstance(value, KerasTensor)]
        given = [None if isinstance(value, KerasTensor) else value for value in args]
        places = [i for i, value in enumerate(args) if isinstance(value, KerasTensor)]
        with undone_on_error():
            return Operation(row.name, attrs, given, places)(tensors)


GRAPH = GraphRecorder()
