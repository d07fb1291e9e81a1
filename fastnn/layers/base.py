"""Layer: what all layers share."""

import functools
import inspect
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from .. import config, constraints, initializers, ops, regularizers, tree, variable
from ..errors import (
    check_array,
    check_flag,
    check_name,
    invalid,
    is_real,
    missing_method,
    name_layer,
    show,
    unknown,
)
from ..ops.table import Shape, find_recorder
from ..record import Placeholder, Recorder, Symbolic
from ..registry import Configurable, serialize, snake_case
from ..variable import Variable, allowed, filled, outside_recording
from .graph import KerasTensor, Node, Spec

PACKAGE = __name__.partition(".")[0] + "."

_names: Counter[str] = Counter()
_calls = threading.local()  # whether this thread is inside the call of a layer on arrays


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


@contextmanager
def outermost(layer: "Layer") -> Iterator[None]:
    """A call of a layer on arrays; unless it is inside another one, what was added to the loss before is forgotten."""
    if getattr(_calls, "inside", False):
        yield
        return
    for part in layer._tree():
        part._losses.clear()
    _calls.inside = True
    try:
        yield
    finally:
        _calls.inside = False


def one_number(argument: str, value: Any) -> Any:
    """A penalty as it is if it is one number that was computed: a symbol in a recording, else of NumPy."""
    recorder = getattr(value, "recorder", None) or variable.recording.recorder
    if not isinstance(value, Symbolic if recorder else (np.ndarray, np.generic)) or value.shape != ():
        expected = "one number, made with fastnn.ops"
        raise invalid(argument, show(value), expected, "pass for example a sum over all axes", TypeError)
    return value


def complete(init: Callable[..., None]) -> Callable[..., None]:
    """A subclass's `__init__` that says when it is done whether that of `Layer` was forgotten."""

    @functools.wraps(init)
    def checked(self: "Layer", *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if "_nodes" not in vars(self):
            received, fix = "an __init__() that does not call the one of its base", "begin it with super().__init__()"
            raise invalid(f"class {type(self).__name__}", received, "a layer that is ready", fix, RuntimeError)

    return checked


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
    activity_regularizer : str, Regularizer or callable, optional
        Penalty of the outputs; added to the loss, divided by the number of samples in the batch.

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

    # Whether `call` takes one array. Layers of this package do unless they say otherwise; others see for themselves.
    one_input = False

    def __init__(
        self,
        name: str | None = None,
        trainable: bool = True,
        input_shape: tuple[int, ...] | int | None = None,
        input_dim: int | None = None,
        activity_regularizer: Any = None,
        **others: Any,
    ):
        for argument in others:
            known = {*inspect.signature(type(self)).parameters, *inspect.signature(Layer).parameters}
            raise unknown(f"argument of {type(self).__name__}", argument, known - {"kwargs", "others"})
        check_name("name", name)
        trainable = check_flag("trainable", trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        given = (input_dim,) if input_dim is not None else input_shape
        self.given_input_shape = None if given is None else sample_shape("input_shape", given)
        self.name = name or automatic_name(type(self).__name__)
        self._trainable = trainable
        self.built = False
        self.build_shape: Shape | None = None
        self._output_specs: dict[str, Any] = {}  # structures of `Spec`
        self._nodes: list[weakref.ref[Node]] = []  # its calls in functional models, which the models keep
        self._own: list[Variable] = []
        self._inside: list[Layer] = []
        self._regularizers: list[tuple[Callable[..., Any], Variable]] = []
        self._losses: list[Any] = []
        self._before_build: tuple[int, int, frozenset[Layer]] = 0, 0, frozenset()

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls):
            cls.build = marking(cls.build)  # type: ignore[method-assign]
        if "__init__" in vars(cls) and not cls.__module__.startswith(PACKAGE):
            cls.__init__ = complete(cls.__init__)  # type: ignore[method-assign]
        if cls.__module__.startswith(__package__) and Layer in cls.__bases__ and "one_input" not in vars(cls):
            cls.one_input = True

    # For subclasses

    def build(self, input_shape: Shape) -> None:
        """Make the weights for inputs of this shape (axis 0 is None)."""
        for part in unique(self._parts()):
            if isinstance(part, Layer):
                self._inside = unique([*self._inside, part])
            else:
                self._own = unique([*self._own, part])
        self.build_shape, self.built = tree.as_shapes(input_shape), True
        Structure.changes += 1

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs with `fastnn.ops`: ``call(self, x)`` or ``call(self, x, training=None)``."""
        raise missing_method(self, "call(self, x)")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the outputs for inputs of this shape; found by recording `call` unless a subclass says it."""
        if not self.built:
            raise self.unbuilt("compute_output_shape()")
        return tree.map_structure(lambda spec: spec.shape, self._output_spec(input_shape))

    def _output_spec(self, input_shape: Any, dtypes: Any = None) -> Any:
        """Shape and dtype of each output, found by recording the call."""
        key = repr((input_shape, dtypes, config.floatx()))
        if key not in self._output_specs:
            shapes = tree.shape_leaves(input_shape)
            kinds = [config.floatx()] * len(shapes) if dtypes is None else dtypes
            with Recorder(rows=1, dtype=config.floatx()) as recorder:
                inputs = [
                    recorder.rows_input(f"x {i}", shape[1:], dtype)
                    for i, (shape, dtype) in enumerate(zip(shapes, kinds, strict=True))
                ]
                output = self._invoke(tree.shape_pack(input_shape, inputs), False)
            self._output_specs[key] = tree.map_structure(lambda symbol: Spec(symbol.shape, symbol.dtype), output)
            recorder.forget()
        return self._output_specs[key]

    def get_config(self) -> dict[str, Any]:
        """Arguments that make an equal layer."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        if self.given_input_shape is not None:
            config["input_shape"] = self.given_input_shape
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = self._described("activity_regularizer")
        return config

    def add_loss(self, loss: Any) -> None:
        """Within `call`, add a penalty to the loss of training and evaluation.

        Parameters
        ----------
        loss : array of shape (), or a list of such
            Computed with `fastnn.ops`. It counts as it is for each batch, whatever its size.

        Examples
        --------
        >>> import numpy as np
        >>> from fastnn import layers, ops
        >>> class Spread(layers.Layer):
        ...     def call(self, x):
        ...         self.add_loss(0.5 * ops.mean(ops.square(x)))
        ...         return x
        >>> layer = Spread()
        >>> layer(np.array([[1.0, 3.0]]))
        array([[1., 3.]])
        >>> [float(loss) for loss in layer.losses]
        [2.5]
        """
        for value in loss if isinstance(loss, (list, tuple)) else [loss]:
            value = one_number(f"loss of layer {self.name!r}", value)
            if isinstance(value, Symbolic):
                value.recorder.losses.append((self, value))
            else:
                self._losses.append(value)

    def _add_activity(self, y: Any) -> None:
        """Add the penalty of the outputs, divided by the number of samples."""
        assert self.activity_regularizer is not None
        penalty = one_number(f"activity_regularizer of {self.name!r}", self.activity_regularizer(y))
        samples = y[(slice(None), *(0,) * (y.ndim - 1))]
        self.add_loss(ops.mean_grad(penalty, samples, axes=(0,)))

    def _described(self, attribute: str) -> Any:
        """What a configuration says of one of its parts."""
        return serialize(f"{attribute} of layer {self.name!r}", getattr(self, attribute))

    def add_weight(
        self,
        shape: tuple[int, ...] | None = (),
        initializer: Any = "glorot_uniform",
        dtype: str | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
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
        constraint : str, Constraint or callable, optional
            What optimizers replace the weight by after each update, see `fastnn.constraints`.
        name : str, default "weight"
        """
        name = check_name("name", name) or "weight"
        shape = () if shape is None else shape
        shape = sample_shape(f"shape of {self.name}/{name}", shape, "pass the shape of the weight")
        dtype = config.floatx() if dtype is None else str(initializers.check_dtype(dtype))
        trainable, regularizer = check_flag("trainable", trainable), regularizers.get(regularizer)
        constraint = constraints.get(constraint)
        allowed.spend(f"shape of {self.name}/{name}", shape, dtype)
        with undone_on_error():
            initializer = initializers.get(initializer) or initializers.GlorotUniform()
            argument = f"initializer of {self.name}/{name}"
            if allowed.bytes is not None:  # the values come from a file
                initializer = filled
            value = check_array(argument, initializer(shape, dtype=dtype))
            if value.shape != shape:
                fix = "return an array of the shape that it is called with"
                raise invalid(argument, value, f"an array of shape {shape}", fix)
        variable = Variable(value, trainable=trainable, name=name, dtype=dtype, constraint=constraint)
        variable.path = f"{self.name}/{name}"
        self._own.append(variable)
        Structure.changes += 1
        if regularizer is not None:
            self._regularizers.append((regularizer, variable))
        return variable

    # For users

    @property
    def trainable(self) -> bool:
        """Whether training changes its weights. To set it sets that of all layers inside, as in Keras."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = check_flag("trainable", value)
        found: dict[int, Layer] = {}
        waiting: list[Layer] = [self]
        while waiting:
            layer = waiting.pop()
            if id(layer) not in found:
                found[id(layer)] = layer
                waiting += [part for part in layer._parts() if isinstance(part, Layer)]
        for layer in found.values():
            layer._trainable = value
        Structure.changes += 1

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        argument = f"input of layer {self.name!r}"
        if isinstance(x, Layer):
            raise invalid(
                argument,
                f"the layer {x.name!r}",
                "an array, or what Input() or another layer gave",
                "call that layer first, as in layer(other(x)), or write Sequential([first, second, ...])",
                TypeError,
            )
        training = None if training is None else check_flag("training", training)
        if any(isinstance(leaf, Placeholder) for leaf in tree.leaves(x)) or isinstance(x, dict) or arrays_in_list(x):
            if self.one_input and tree.is_nested(x):
                if len(x) != 1:
                    raise invalid(argument, f"{len(x)} arrays", "one array", "merge them first, as Concatenate does")
                x = tree.flatten(x)[0]
        else:
            x = check_array(argument, x)
        if any(isinstance(leaf, KerasTensor) for leaf in tree.leaves(x)):
            return self._connect(x, training)
        return self._apply(tree.map_structure(lambda leaf: self._eager(argument, leaf), x), training)

    def _apply(self, x: Any, training: bool | None) -> Any:
        """The outputs for arrays that are checked."""
        recorded = find_recorder(tuple(tree.leaves(x))) is not None
        with undone_on_error([self]), nullcontext() if recorded else outermost(self):
            self.ensure_built(tree.shapes_of(x))
            return self._invoke(x, training)

    @staticmethod
    def _eager(argument: str, x: Any) -> Any:
        """An input of a call on arrays, or of one in a recording."""
        if isinstance(x, Symbolic):
            return x
        x = check_array(argument, x)
        if x.ndim == 0:
            raise invalid(argument, x, "an array with the samples along axis 0", "put the sample into a list")
        return x if x.dtype.kind == "f" else x.astype(config.floatx())

    def _connect(self, x: Any, training: bool | None) -> Any:
        """Become a part of a functional model."""
        for leaf in tree.leaves(x):
            if not isinstance(leaf, KerasTensor):
                expected = "arrays of the functional model only"
                raise invalid(f"input of layer {self.name!r}", show(leaf), expected, "make it an Input", TypeError)
        shapes, dtypes = tree.shapes_of(x), [leaf.dtype for leaf in tree.leaves(x)]
        names = " and ".join(dict.fromkeys(repr(leaf.name) for leaf in tree.leaves(x)))
        with undone_on_error([self]):
            try:
                self.ensure_built(shapes)
                spec = self._output_spec(shapes, dtypes)
            except (ValueError, TypeError) as error:
                if getattr(error, "parts", False):
                    known = tree.map_structure(lambda leaf: leaf.shape, x)
                    error.args = (f"layer {self.name!r} on the output of {names} of shape {known}: {error}",)
                raise
        node = Node(self, x, training)
        node.outputs = tree.map_structure(lambda output: KerasTensor(output.shape, output.dtype, node), spec)
        self._nodes = [*(known for known in self._nodes if known() is not None), weakref.ref(node)]
        return node.outputs

    def _invoke(self, x: Any, training: bool | None) -> Any:
        takes_training = "training" in inspect.signature(self.call).parameters
        arguments = {"training": training} if takes_training else {}
        recorder = find_recorder(tuple(tree.leaves(x)))
        try:
            with recorder.call(self.name) if recorder else nullcontext():
                y = self.call(x, **arguments)
        except (ValueError, TypeError) as error:
            name_layer(error, self.name)
            raise
        argument = f"output of layer {self.name!r}"
        if tree.is_nested(y) and not tree.flatten(y):
            raise invalid(argument, show(y), "at least one array", "return the result", TypeError)
        for leaf in tree.leaves(y):
            if not isinstance(leaf, Symbolic if recorder else (np.ndarray, np.generic)):
                expected, fix = (
                    "an array made with fastnn.ops from the input",
                    "use its functions in call(), and return the result",
                )
                raise invalid(argument, show(leaf), expected, fix, TypeError)
            if recorder and leaf.shape[:1] != (None,):
                expected = "an array with the batch (None) as axis 0"
                raise invalid(argument, leaf, expected, "compute along the other axes only")
        if self.activity_regularizer is not None:
            with recorder.label(self.name) if recorder else nullcontext():
                for leaf in tree.leaves(y):
                    self._add_activity(leaf)
        if recorder:
            recorder.calls.append((self.name, type(self).__name__, x, y))
        return y

    def _require_features(self, input_shape: Shape) -> None:
        """Refuse inputs that have no axis of features behind that of the batch."""
        if len(input_shape) < 2:
            raise invalid(
                f"input of layer {self.name!r}",
                f"shape {input_shape}",
                "at least two axes (batch, features)",
                "reshape the data to (samples, features)",
            )

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
        self._before_build = own, regularizers, frozenset()  # layers may hold each other
        Structure.changes += 1
        self.built, self.build_shape = False, None
        self._output_specs.clear()
        del self._own[own:], self._regularizers[regularizers:]
        self._inside.clear()
        for layer in unbuilt:
            layer.unbuild()

    def _parts(self) -> list["Layer | Variable"]:
        """Layers and variables that this layer is made of."""
        return [part for part in parts_in(vars(self)) if part is not self]

    def _layers(self) -> list["Layer"]:
        """Layers inside this one, known once it is built."""
        return self._inside

    def _tree(self, trainable: bool = False) -> list["Layer"]:
        """This layer and those inside it, each once, even if they hold each other; or those of them that learn."""
        found: dict[int, Layer] = {}
        waiting: list[Layer] = [self]
        while waiting:
            layer = waiting.pop()
            if id(layer) not in found and (layer.trainable or not trainable):
                found[id(layer)] = layer
                waiting += reversed(layer._layers())
        return list(found.values())

    @property
    def variables(self) -> list[Variable]:
        """All variables, trainable or not: its own in the order they were made, then those of layers inside."""
        return unique(v for layer in self._tree() for v in layer._own)

    @property
    def weights(self) -> list[Variable]:
        return self.variables

    def _trainable_flags(self) -> tuple[bool, ...]:
        """Of this layer and those inside: whether they are trainable, which also says how some of them compute."""
        return tuple(layer.trainable for layer in self._tree())

    @property
    def trainable_variables(self) -> list[Variable]:
        return unique(v for layer in self._tree(trainable=True) for v in layer._own if v.trainable)

    trainable_weights = trainable_variables

    @property
    def non_trainable_variables(self) -> list[Variable]:
        trainable = {id(v) for v in self.trainable_variables}
        return [v for v in self.variables if id(v) not in trainable]

    non_trainable_weights = non_trainable_variables

    @property
    def penalties(self) -> list[tuple[Callable[..., Any], Variable]]:
        """Regularizers with the variables they apply to, if these learn."""
        learning = self._tree(trainable=True)
        return unique(penalty for layer in learning for penalty in layer._regularizers if penalty[1].trainable)

    @property
    def losses(self) -> list[Any]:
        """Penalties as numbers: those that the last call added (on arrays, or in this recording), then of weights.

        `fit` and `evaluate` add them to the loss; a loop of one's own has to do so itself.
        """
        recorder, parts = variable.recording.recorder, self._tree()
        if recorder is None:
            added = [value for layer in parts for value in layer._losses]
        else:
            added = [value for layer, value in recorder.losses if layer in parts]
        return added + [penalty(weight) for penalty, weight in self.penalties]

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

    @property
    def input(self) -> Any:
        """What the layer is called on in its functional model."""
        return self._only_call("input").inputs

    @property
    def output(self) -> Any:
        """What the layer gives in its functional model, for models that end there or go on in another way."""
        return self._only_call("output").outputs

    def _only_call(self, attribute: str) -> Node:
        nodes = [node for known in self._nodes if (node := known()) is not None]
        if len(nodes) != 1:
            raise invalid(
                f"{attribute} of layer {self.name!r}",
                f"{len(nodes)} calls in functional models",
                "one call",
                "keep what the call gave" if nodes else "ask for the inputs of its Sequential first, or call it",
                AttributeError,
            )
        return nodes[0]

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


def arrays_in_list(x: Any) -> bool:
    """Whether this is a list of several arrays rather than one array given as a list of its rows."""
    return isinstance(x, (list, tuple)) and bool(x) and all(isinstance(a, np.ndarray) and a.ndim > 1 for a in x)
