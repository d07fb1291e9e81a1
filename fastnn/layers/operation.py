"""A function of `fastnn.ops` as a layer of a functional model."""

from typing import Any, Self

from ..errors import invalid, is_one_of, show, unknown
from ..ops.table import FUNCTIONS, OPS
from .base import Layer, automatic_name

# What operators and functions of `fastnn.ops` record for arrays of a functional model: rows whose attributes and shapes
# are checked when they are recorded, so that a configuration cannot ask for memory that is not there.
KINDS = ("activation", "elementwise", "softmax", "reduction", "shape", "loss", "random")
ALLOWED = {
    name
    for name in FUNCTIONS
    if (OPS[name].kind in KINDS and "_grad" not in name and name != "prelu") or name in ("dense", "matmul")
}


class Operation(Layer):
    """What an operator, or a function of `fastnn.ops`, on the arrays of a functional model becomes.

    Parameters
    ----------
    operation : str
        Name of a row of the table of operations.
    attributes : dict
        Its keyword arguments.
    given : list
        Its array arguments; those at `places` come from the model.
    places : list of int
        Where the layer's inputs go.
    name : str, optional
        Default: the operation's, numbered.
    """

    one_input = False

    def __init__(
        self, operation: str, attributes: dict[str, Any], given: list[Any], places: list[int], name: str | None = None
    ):
        super().__init__(name=name or automatic_name(operation))
        self.operation = operation
        self.attributes = {key: as_tuples(value) for key, value in attributes.items()}
        self.given, self.places = list(given), list(places)

    @property
    def kind(self) -> str:
        """The operation written like a class, as in Keras' summaries."""
        return self.operation.title().replace("_", "")

    def call(self, inputs: list[Any]) -> Any:
        given = self.given.copy()
        for place, value in zip(self.places, inputs, strict=True):
            given[place] = value
        return FUNCTIONS[self.operation](*given, **self.attributes)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an operation, if it is one whose attributes are checked."""
        operation = config.get("operation") if isinstance(config, dict) else None
        if not is_one_of(operation, ALLOWED):
            raise unknown("operation", operation, ALLOWED)
        return super().from_config(config)

    def get_config(self) -> dict[str, Any]:
        for value in (*self.given, *self.attributes.values()):
            if callable(value) or hasattr(value, "shape"):
                raise invalid(
                    f"configuration of operation {self.name!r}",
                    show(value),
                    "numbers besides the arrays of the model",
                    "write a layer of your own for it",
                    TypeError,
                )
        return {
            "name": self.name,
            "operation": self.operation,
            "attributes": self.attributes,
            "given": self.given,
            "places": self.places,
        }


def as_tuples(value: Any) -> Any:
    """Tuples for the lists that JSON makes of them."""
    return tuple(as_tuples(part) for part in value) if isinstance(value, (list, tuple)) else value
