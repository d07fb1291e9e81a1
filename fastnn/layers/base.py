"""Layer: what all layers share."""

import functools
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from .. import config, initializers, regularizers
from ..errors import (
    check_array,
    check_flag,
    check_name,
    invalid,
    is_real,
    missing_method,
    name_layer,
    not_provided,
    show,
    unknown,
)
from ..ops.table import Shape
from ..record import Recorder, Symbolic
from ..registry import Configurable, snake_case
from ..variable import Variable, outside_recording

_names: Counter[str] = Counter()


def automatic_name(kind: str) -> str:
    """Keras' automatic names: ``dense``, ``dense_1``, ``dense_2`` ..."""
    base = snake_case(kind)
    n = _names[base]
    _names[base] += 1
    return f"{base}_{n}" if n else base


def attributes(layer: "Layer") -> dict[str, Any]:
    """What a layer holds, lists and dicts copied."""
    return {name: value.copy() if isinstance(value, (list, dict)) else value for name, value in vars(layer).items()}


@contextmanager
def undone_on_error(layers: Iterable[Any] = ()) -> Iterator[None]:
    """An error inside gives back automatic names and random streams, and leaves layers unbuilt that were so."""
    names, stream = _names.copy(), config._stream
    unbuilt = [(layer, attributes(layer)) for layer in layers if isinstance(layer, Layer) and not layer.built]
    try:
        yield
    except BaseException:
        for layer, before in unbuilt:
            layer.unbuild()
            vars(layer).clear()
            vars(layer).update(before)
        _names.clear()
        _names.update(names)
        config._stream = stream
        raise


def reset_names() -> None:
    """Begin automatic names anew."""
    _names.clear()


def parts_in(value: Any) -> Iterator["Layer | Variable"]:
    """Layers and variables in a value, also in lists, tuples and dicts (not in sets, which have no order)."""
    if isinstance(value, (Layer, Variable)):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from parts_in(item)


def unique(items: Iterable[Any]) -> list[Any]:
    """Each object once, where it comes first."""
    return list({id(item): item for item in items}.values())


def marking(build: Callable[..., None]) -> Callable[..., None]:
    """A subclass's `build` that says when it is done that the layer is built, whoever called it."""

    @functools.wraps(build)
    def marked(self: "Layer", input_shape: Shape) -> None:
        build(self, input_shape)
        Layer.build(self, input_shape)

    return marked


class Structure:
    """Counts how often layers got or lost variables, so that what was prepared for them knows when it is old."""

    changes = 0


class Layer(Configurable):
    """A function with weights, written once with `fastnn.ops`.

    A subclass makes its weights in ``build(input_shape)`` with `add_weight` and computes in
    ``call(x, training=None)`` with operators and functions of `fastnn.ops`. On arrays the call computes at
    once; while a model is recorded the same call writes the steps that run in C. Axis 0 is the batch.
    Layers and variables that it keeps in its attributes, also in lists, tuples and dicts, are parts of it.

    Parameters
    ----------
    name : str, optional
        Default: the class name in snake case, numbered.
    trainable : bool, default True
    input_shape : tuple of int, optional
        Shape of one sample, for the first layer of a `Sequential` model.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import layers, ops
    >>> class Projection(layers.Layer):
    ...     def build(self, input_shape):
    ...         self.kernel = self.add_weight((input_shape[-1], 2), initializer="ones", name="kernel")
    ...     def call(self, x):
    ...         return ops.tanh(x @ self.kernel)
    >>> Projection()(np.zeros((1, 3)))
    array([[0., 0.]])
    """

    def __init__(
        self,
        name: str | None = None,
        trainable: bool = True,
        input_shape: tuple[int, ...] | int | None = None,
        input_dim: int | None = None,
        **others: Any,
    ):
        for argument in others:
            known = {*inspect.signature(type(self)).parameters, *inspect.signature(Layer).parameters}
            raise unknown(f"argument of {type(self).__name__}", argument, known - {"kwargs", "others"})
        check_name("name", name)
        trainable = check_flag("trainable", trainable)
        given = (input_dim,) if input_dim is not None else input_shape
        self.given_input_shape = None if given is None else sample_shape("input_shape", given)
        self.name = name or automatic_name(type(self).__name__)
        self._trainable = trainable
        self.built = False
        self.build_shape: Shape | None = None
        self._output_shapes: dict[Shape, Shape] = {}
        self._own: list[Variable] = []
        self._inside: list[Layer] = []
        self._regularizers: list[tuple[Callable[..., Any], Variable]] = []
        self._before_build: tuple[int, int, frozenset[Layer]] = 0, 0, frozenset()

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = marking(cls.build)  # type: ignore[method-assign]

    # For subclasses

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape (axis 0 is None)."""
        for part in unique(self._parts()):
            if isinstance(part, Layer):
                self._inside = unique([*self._inside, part])
            else:
                self._own = unique([*self._own, part])
        self.build_shape, self.built = tuple(input_shape), True
        Structure.changes += 1

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs with `fastnn.ops`: ``call(self, x)`` or ``call(self, x, training=None)``."""
        raise missing_method(self, "call(self, x)")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the outputs for inputs of this shape; found by recording `call` unless a subclass says it."""
        if not self.built:
            raise self.unbuilt("compute_output_shape()")
        if input_shape in self._output_shapes:
            return self._output_shapes[input_shape]
        with Recorder(rows=1, dtype=config.floatx()) as recorder:
            output = self._invoke(recorder.rows_input("x", input_shape[1:]), False)
        self._output_shapes[input_shape] = output.shape
        return output.shape

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        if self.given_input_shape is not None:
            config["input_shape"] = self.given_input_shape
        return config

    def add_weight(
        self,
        shape: tuple[int, ...] | None = (),
        initializer: Any = "glorot_uniform",
        dtype: str | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: None = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of this layer.

        Parameters
        ----------
        shape : tuple of int, default ()
        initializer : str, Initializer or callable, default "glorot_uniform"
        dtype : str, optional
            Default: `fastnn.config.floatx()`.
        trainable : bool, default True
        regularizer : str, Regularizer or callable, optional
            Penalty of the weight, added to the loss.
        constraint : None
            Not provided yet.
        name : str, default "weight"
        """
        not_provided(constraint=constraint)
        name = check_name("name", name) or "weight"
        shape = () if shape is None else shape
        shape = sample_shape(f"shape of {self.name}/{name}", shape, "pass the shape of the weight")
        dtype = config.floatx() if dtype is None else str(initializers.check_dtype(dtype))
        trainable, regularizer = check_flag("trainable", trainable), regularizers.get(regularizer)
        with undone_on_error():
            initializer = initializers.get(initializer) or initializers.GlorotUniform()
            argument = f"initializer of {self.name}/{name}"
            value = check_array(argument, initializer(shape, dtype=dtype))
            if value.shape != shape:
                fix = "return an array of the shape that it is called with"
                raise invalid(argument, value, f"an array of shape {shape}", fix)
        variable = Variable(value, trainable=trainable, name=name, dtype=dtype)
        variable.path = f"{self.name}/{name}"
        self._own.append(variable)
        Structure.changes += 1
        if regularizer is not None:
            self._regularizers.append((regularizer, variable))
        return variable

    # For users

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        if isinstance(x, Layer):
            raise invalid(
                f"input of layer {self.name!r}",
                f"the layer {x.name!r}",
                "an array (layers called on layers are not provided yet)",
                "write Sequential([first, second, ...])",
                TypeError,
            )
        if not isinstance(x, Symbolic):
            argument = f"input of layer {self.name!r}"
            x = check_array(argument, x)
            if x.ndim == 0:
                raise invalid(argument, x, "an array with the samples along axis 0", "put the sample into a list")
            if x.dtype.kind != "f":
                x = x.astype(config.floatx())
        training = None if training is None else check_flag("training", training)
        with undone_on_error([self]):
            self.ensure_built((None, *x.shape[1:]))
            return self._invoke(x, training)

    def _invoke(self, x: Any, training: bool | None) -> Any:
        takes_training = "training" in inspect.signature(self.call).parameters
        arguments = {"training": training} if takes_training else {}
        try:
            with x.recorder.call(self.name) if isinstance(x, Symbolic) else nullcontext():
                y = self.call(x, **arguments)
        except (ValueError, TypeError) as error:
            name_layer(error, self.name)
            raise
        argument = f"output of layer {self.name!r}"
        if not isinstance(y, Symbolic if isinstance(x, Symbolic) else (np.ndarray, np.generic)):
            expected, fix = (
                "an array made with fastnn.ops from the input",
                "use its functions in call(), and return the result",
            )
            raise invalid(argument, show(y), expected, fix, TypeError)
        if isinstance(x, Symbolic) and y.shape[:1] != (None,):
            expected = "an array with the batch (None) as axis 0"
            raise invalid(argument, y, expected, "compute along the other axes only")
        return y

    def ensure_built(self, input_shape: Shape) -> None:
        """Build once; an error leaves the layer as it was."""
        if not self.built:
            unbuilt = frozenset(part for part in self._parts() if isinstance(part, Layer) and not part.built)
            self._before_build = len(self._own), len(self._regularizers), unbuilt
            with undone_on_error([self]), outside_recording():
                self.build(input_shape)

    def unbuild(self) -> None:
        """Forget the weights that were made by building; the next data make new ones."""
        own, regularizers, unbuilt = self._before_build
        Structure.changes += 1
        self.built, self.build_shape = False, None
        self._output_shapes.clear()
        del self._own[own:], self._regularizers[regularizers:]
        self._inside.clear()
        for layer in unbuilt:
            layer.unbuild()

    def _parts(self) -> list["Layer | Variable"]:
        """Layers and variables that this layer is made of."""
        return list(parts_in(vars(self)))

    def _layers(self) -> list["Layer"]:
        """Layers inside this one, known once it is built."""
        return self._inside

    @property
    def variables(self) -> list[Variable]:
        """All variables, trainable or not: its own in the order they were made, then those of layers inside."""
        inside = [v for layer in self._layers() for v in layer.variables]
        return unique(self._own + inside) if inside else self._own.copy()

    @property
    def weights(self) -> list[Variable]:
        return self.variables

    @property
    def trainable(self) -> bool:
        """Whether the weights learn; setting it also sets it for all layers inside, as in Keras."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = check_flag("trainable", value)
        Structure.changes += 1
        for part in self._parts():
            if isinstance(part, Layer):
                part.trainable = value

    def _trainable_flags(self) -> tuple[bool, ...]:
        """Of this layer and those inside: whether they are trainable, which also says how some of them compute."""
        return self.trainable, *(flag for layer in self._layers() for flag in layer._trainable_flags())

    @property
    def trainable_variables(self) -> list[Variable]:
        if not self.trainable:
            return []
        own = [v for v in self._own if v.trainable]
        inside = [v for layer in self._layers() for v in layer.trainable_variables]
        return unique(own + inside) if inside else own

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable]

    non_trainable_weights = non_trainable_variables

    @property
    def penalties(self) -> list[tuple[Callable[..., Any], Variable]]:
        """Regularizers with the variables they apply to, if these learn."""
        own = [pair for pair in self._regularizers if self.trainable and pair[1].trainable]
        return unique([*own, *(p for layer in self._layers() for p in layer.penalties)])

    @property
    def input_shape(self) -> Shape:
        """Shape of the inputs, None for the batch axis."""
        if self.build_shape is None:
            raise self.unbuilt("input_shape")
        return self.build_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of the outputs, None for the batch axis."""
        return self.compute_output_shape(self.input_shape)

    def unbuilt(self, attribute: str) -> Exception:
        """The error of asking an unbuilt layer for something only a built one has."""
        return invalid(
            attribute,
            f"a request to {self.name!r}, which is not built",
            "a layer that knows its input shape",
            "give the first layer an input_shape, or call the layer on data",
        )

    def count_params(self) -> int:
        """Number of values in all weights."""
        if not self.built:
            raise self.unbuilt("count_params()")
        return sum(int(np.prod(v.shape)) for v in self.variables)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in order."""
        return [v.numpy() for v in self.variables]

    def set_weights(self, weights: list[Any]) -> None:
        """Set all weights; as many arrays, of the same shapes and in the same order, as `get_weights`.

        Raises
        ------
        ValueError, TypeError
            Number, shape or type differ; no weight is changed.
        """
        variables, fix = self.variables, "pass a list like the one get_weights() returns"
        try:
            arrays = [np.asarray(w) for w in weights]
        except (ValueError, TypeError):  # not a list, or ragged lists in it
            raise invalid(f"weights of {self.name!r}", show(weights), "a list of arrays", fix, TypeError) from None
        if len(arrays) != len(variables):
            raise invalid(
                f"weights of {self.name!r}",
                f"{len(arrays)} arrays",
                f"{len(variables)} arrays",
                fix,
            )
        for v, a in zip(variables, arrays, strict=True):
            if a.shape != v.shape or not is_real(a):
                raise invalid(
                    f"weight {v.path!r}",
                    a,
                    f"an array of numbers of shape {v.shape}",
                    fix,
                )
        for v, a in zip(variables, arrays, strict=True):
            v.assign(a)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def sample_shape(
    argument: str, shape: Any, fix: str = "pass the shape of one sample, such as (784,)"
) -> tuple[int, ...]:
    """A shape, usually of one sample: a tuple of positive ints, also given as a list or a single int."""
    dims = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    for n in dims:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise invalid(argument, show(shape), "a tuple of positive integers", fix, TypeError)
        if n < 1 or n >= 2**31:
            raise invalid(argument, shape, "positive sizes below 2**31", fix)
    return tuple(int(n) for n in dims)
