"""Models as arrays and a description, and back."""

import copy
import math
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import config, layers, losses, metrics, models, optimizers, tree
from ..errors import check_flag, invalid, not_provided, show
from ..layers.base import Layer, undone_on_error
from ..layers.regularization import Random
from ..models import Model
from ..models.functional import layer_config, layer_from_config, sharing
from ..models.loop import Exclusive
from ..models.objective import is_config
from ..optimizers import Optimizer
from ..registry import custom_object_scope, name_of, registered
from ..variable import Variable, allowance
from . import container
from .container import FormatError, Held, Reader, wrong

WEIGHTS, OPTIMIZER = "weights", "optimizer"  # first parts of the names of arrays
ROOM = 1 << 23  # bytes that metrics may have, which are not in the file
OWN = "pass classes and functions of one's own as custom_objects, or use an undamaged file"
OF_KERAS = (".keras", ".h5", ".hdf5", ".ckpt")


def save_model(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write a model to a file: layers, weights, the arguments of ``compile``, and the state of the optimizer.

    The file is a safetensors container, which other programs can open as well. It holds no code: a class or function of
    one's own is in it by name, and passed to `load_model`. It is written beside `filepath` and takes its name when it
    is whole and on the disk: nothing that happens meanwhile leaves half a file, or takes the old one away. Of a process
    that is killed meanwhile, a file ``.<name>.<number>.tmp`` may be left.

    Parameters
    ----------
    model : Model
        Built: called, trained, or with an input shape.
    filepath : path
        Such as ``"model.safetensors"``.
    overwrite : bool, default True
        False refuses to replace a file.

    Raises
    ------
    ValueError, TypeError
        The model is not built, or something of it has no configuration, as a function that is not registered (see
        `register_keras_serializable`). Nothing was written.
    RuntimeError
        Another thread trains the model. Callbacks may save it.
    OSError
        No space, no permission, or a failing disk, with the path; an older file is as it was.

    Examples
    --------
    >>> import tempfile, os
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(2,))])
    >>> model.compile("adam", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     model.save(path)
    ...     again = fastnn.load_model(path)
    >>> bool((again.predict([[1.0, 2.0]], verbose=0) == model.predict([[1.0, 2.0]], verbose=0)).all())
    True
    """
    path = checked_path(filepath, overwrite)
    with Exclusive(checked(model)._training):
        arrays, description = parts_of(model)
        check_again(model, description["model"])
        container.write(path, arrays, description)


def parts_of(model: Model, compiles: bool = True) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a model and its description, with the arguments of ``compile`` if `compiles`."""
    arrays, shape = weights_of(model), plain_shapes(model.build_shape) if model.built else None
    with sharing():
        described = layer_config(model, build_shape=shape)
    description: dict[str, Any] = {
        "floatx": config.floatx(),
        "model": described,
        "streams": streams_of(model),
        "compile": None,
    }
    if model._compiled is not None:
        description["compile"] = compiled_config(model) if compiles else None
        if model.built:
            description["optimizer"] = optimizer_config(model)
            arrays |= optimizer_arrays(model)
    try:
        return arrays, plain(description)
    except RecursionError:
        fix = "nest fewer models, and correct get_config()"
        raise invalid("configuration", "lists in lists without end", "ones that end", fix) from None


def own_classes(model: Model) -> dict[str, type[Layer]]:
    """The classes of layers in a model that are not fastnn's, by the names under which configurations know them."""
    classes: dict[str, type[Layer]] = {}
    for cls in (type(layer) for layer in model._tree()):
        if not cls.__module__.startswith("fastnn."):
            name = name_of(cls)
            theirs = (hasattr(layers, name) or hasattr(models, name)) and name not in registered(Layer)
            if theirs or classes.setdefault(name, cls) is not cls:
                expected = "a name that no layer of fastnn, or other layer of the model, has"
                fix = "give it another name: configurations know classes by name"
                raise invalid("model", f"an own class {name!r}", expected, fix)
    return classes


def check_again(model: Model, described: dict[str, Any]) -> None:
    """Refuse a model of which its description would make another one, with other weights."""
    classes = own_classes(model)
    try:
        unchanged = config.random_state(config.seed(), config._stream)
        with custom_object_scope(classes), undone_on_error(), unchanged, allowance(weight_bytes(model), ""):
            again = made_again(copy.deepcopy(described))  # from_config() of a class may take entries out
    except Exception as error:
        if classes:  # whose parts may need what load_model() gets as custom_objects
            warnings.warn(
                f"load_model() of this file fails, unless custom_objects has more than {', '.join(sorted(classes))} or "
                f"their get_config() or from_config() is corrected: {type(error).__name__}: {error}",
                stacklevel=4,
            )
            return
        fix = "correct what it is made of"
        raise invalid(
            "model", f"{model.name!r}, of whose configuration came: {error}", "one that makes it", fix
        ) from None
    kinds, found = ([(v.shape, str(v.dtype)) for v in each.variables] for each in (model, again))
    if kinds != found:
        received = f"{model.name!r}, whose configuration makes {len(found)} weights instead of {len(kinds)}"
        fix = "build all layers with any training="
        raise invalid("model", received, "one that its configuration makes again", fix)


def made_again(described: dict[str, Any]) -> Model:
    """A model with new weights from its description."""
    with sharing():
        model = layer_from_config(described)
    if not isinstance(model, Model):
        raise invalid("class_name", type(model).__name__, "a model", "use an undamaged file")
    if not model.built and described.get("build_shape") is not None:
        model.build(shapes_in(described["build_shape"]))
    return model


def weight_bytes(model: Model) -> int:
    """The memory of all weights, and some more."""
    return sum(v.value.nbytes for v in model.variables) + (1 << 20)


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """The model that `save_model` wrote, with weights, optimizer and its state.

    No code is taken from the file and no other file is opened. All that it says is checked before there is a model.

    Parameters
    ----------
    filepath : path
    custom_objects : dict of str to type or callable, optional
        Classes and functions of one's own that the model has, by name; those that are registered are known already.
    compile : bool, default True
        Whether the model is compiled as the saved one was.
    safe_mode : True
        Files never hold code.

    Raises
    ------
    FormatError
        The file is damaged, no file of fastnn, or needs what is not in `custom_objects`.
    OSError
        It cannot be read.

    Examples
    --------
    See `save_model`.
    """
    compiles = check_flag("compile", compile)
    not_provided(True, safe_mode=safe_mode)
    with Reader(checked_path(filepath)) as file, custom_object_scope(custom_objects), undone_on_error():
        described = file.description
        if described.get("model") is None:
            fix = "make the model, then call load_weights()"
            raise wrong(file.path, "contents", "weights alone", "a model", fix)
        for name in file.table:
            if name.partition("/")[0] not in (WEIGHTS, OPTIMIZER):
                raise wrong(file.path, "arrays", repr(name), "those of weights and optimizer")
        file.check(list(file.table))
        model = restored(file, compiles)
        if not model.built:
            raise wrong(file.path, "build_shape", "none", "the shape of the inputs")
        return model


def restored(file: Reader | Held, compiles: bool = True) -> Model:
    """The model of a file, compiled as the saved one was if `compiles`."""
    described = file.description
    if described.get("floatx") != config.floatx():
        fix = f"call fastnn.config.set_floatx({described.get('floatx')!r}) first"
        raise wrong(file.path, "floatx", show(described.get("floatx")), repr(config.floatx()), fix)
    with allowance(file.size, "use an undamaged file"), described_by(file.path, "model"):
        model = made_again(described["model"])
        restore_streams(model, described.get("streams"))
    for name, variable in matching_weights(file, model):
        file.read_into(name, variable.value)
    if compiles and described.get("compile") is not None:
        with described_by(file.path, "compile"):
            with allowance(file.size + ROOM, "pass compile=False, and call compile() yourself"):
                model.compile(**described["compile"])
            restore_optimizer(file, model, described.get("optimizer"))
    return model


def save_weights(model: Model, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
    """Write the weights of a model to a file; arguments and errors as of `save_model`."""
    path = checked_path(filepath, overwrite)
    with Exclusive(checked(model)._training):
        container.write(path, weights_of(model), {"floatx": config.floatx(), "model": None})


def load_weights(model: Model, filepath: str | os.PathLike[str]) -> None:
    """Give a model the weights in a file of `save_weights` or `save_model`, or in one of Keras.

    They belong together by their order; shapes and types must be the same. In files of Keras 3 (``.keras``,
    ``.weights.h5``, with ``fastnn[keras-files]``), layers belong together by class and order.

    Raises
    ------
    FormatError
        The file is damaged, or its weights are not those of such a model, which is as it was.
    OSError
        It cannot be read.
    """
    if isinstance(filepath, (str, os.PathLike)) and os.fspath(filepath).lower().endswith(OF_KERAS[:2]):
        from .keras_files import keras_weights

        for variable, array in keras_weights(checked(model), os.fspath(filepath)):
            variable.value[...] = array
        return
    with Reader(checked_path(filepath)) as file:
        found = matching_weights(file, checked(model))
        file.check([name for name, _ in found])
        for name, variable in found:
            file.read_into(name, variable.value)


# Arguments


def checked(model: Any) -> Model:
    if not isinstance(model, Model):
        raise invalid("model", show(model), "a model", "pass a Sequential or a Model", TypeError)
    if not model.built:
        fix = "call it, train it, or give its first layer an input_shape"
        raise invalid("model", f"{model.name!r}, which has no weights yet", "one that is built", fix)
    return model


def checked_path(filepath: Any, overwrite: bool = True) -> str:
    """A path as text; one of a new file unless it may be overwritten."""
    if not isinstance(filepath, (str, os.PathLike)) or not isinstance(os.fspath(filepath), str):
        raise invalid("filepath", show(filepath), "a path", "pass for example 'model.safetensors'", TypeError)
    path = os.fspath(filepath)
    if path.lower().endswith(OF_KERAS):
        expected = "a safetensors file; of Keras' files, only the weights are read"
        fix = "name it for example 'model.safetensors', or make the model and call load_weights()"
        raise invalid("filepath", repr(path), expected, fix)
    if not check_flag("overwrite", overwrite) and os.path.exists(path):
        raise invalid("filepath", f"{path!r}, which exists", "a new file", "pass overwrite=True", FileExistsError)
    return path


# Descriptions


def plain(value: Any, name: str = "configuration") -> Any:
    """A description of lists, dicts, numbers and strings alone, as JSON has them."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(part, f"{name}[{i}]") for i, part in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                fix = "make them strings in get_config(), and what they were in from_config()"
                raise invalid(name, f"the key {show(key)}", "strings as keys, as JSON has them", fix)
        return {str.__str__(key): plain(part, f"{name}[{key!r}]") for key, part in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise invalid(name, show(value), "a finite number, as JSON has them", "leave it out of get_config()")
    if isinstance(value, str):
        return str.__str__(value)  # that of an enumeration's member would be its name
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    if value is None:
        return None
    raise invalid(name, show(value), "something that a configuration can name", "leave it out of get_config()")


def plain_shapes(shapes: Any) -> Any:
    """Shapes in lists and dicts, tuples as ``{"shape": [...]}``."""
    if tree.is_shape(shapes):
        return {"shape": list(shapes)}
    if isinstance(shapes, dict):
        return {"dict": {key: plain_shapes(value) for key, value in shapes.items()}}
    return {"list": [plain_shapes(value) for value in shapes]}


def shapes_in(described: Any) -> Any:
    """What `plain_shapes` described."""
    if isinstance(described, dict) and len(described) == 1:
        [(kind, value)] = described.items()
        if kind == "shape" and isinstance(value, list):
            return tuple(value)
        if kind == "dict" and isinstance(value, dict):
            return {key: shapes_in(part) for key, part in value.items()}
        if kind == "list" and isinstance(value, list):
            return [shapes_in(part) for part in value]
    raise invalid("build_shape", show(described), "a shape, or a list or dict of them", "use an undamaged file")


def each(value: Any, convert: Any) -> Any:
    """Lists and dicts with each entry but None converted."""
    if isinstance(value, (list, tuple)):
        return [each(entry, convert) for entry in value]
    if isinstance(value, dict) and not is_config(value):
        return {key: each(entry, convert) for key, entry in value.items()}
    return None if value is None else convert(value)


def compile_arguments(model: Model) -> dict[str, Any]:
    """The arguments of ``compile``, the optimizer as its configuration, for its state belongs to this model."""
    made = model._compiled
    assert made is not None
    return {
        "optimizer": optimizers.serialize(made.optimizer),
        "loss": made.loss,
        "loss_weights": made.loss_weights,
        "metrics": made.metrics,
        "weighted_metrics": made.weighted_metrics,
        "run_eagerly": model.run_eagerly,
        "steps_per_execution": model.steps_per_execution,
    }


def compiled_config(model: Model) -> dict[str, Any]:
    """The arguments of ``compile`` as configurations."""

    def metric(given: Any) -> Any:
        return given if isinstance(given, (str, dict)) else metrics.serialize(metrics.get(given))

    given = compile_arguments(model)
    named = {name: each(given[name], metric) for name in ("metrics", "weighted_metrics")}
    return given | named | {"loss": each(given["loss"], losses.serialize)}


@contextmanager
def described_by(path: str, field: str, fix: str = OWN) -> Iterator[None]:
    """Errors inside are those of a description that makes nothing."""
    try:
        yield
    except FormatError:
        raise
    except Exception as error:
        received = f"what gives the error: {str(error) or type(error).__name__}"
        raise wrong(path, field, received.rstrip("."), "a description that makes one", fix) from error


def random_layers(model: Model) -> list[Random]:
    """Layers that draw numbers, each with a stream of them that training goes on with."""
    return [layer for layer in model._tree() if isinstance(layer, Random)]


def streams_of(model: Model) -> list[int]:
    """The streams of all random layers."""
    return [layer._stream for layer in random_layers(model)]


def restore_streams(model: Model, streams: Any) -> None:
    """Give the random layers of a new model their streams."""
    layers = random_layers(model)
    known = isinstance(streams, list) and len(streams) == len(layers)
    if not known or not all(type(stream) is int and 0 <= stream < 2**32 for stream in streams):
        raise invalid("streams", show(streams), f"{len(layers)} integers from 0 to 2**32 - 1", "use an undamaged file")
    for layer, stream in zip(layers, streams, strict=True):
        layer._stream = stream


# Arrays


def weights_of(model: Model) -> dict[str, np.ndarray]:
    """The weights by place and path."""
    return {f"{WEIGHTS}/{i}/{v.path}": v.value for i, v in enumerate(model.variables)}


def matching_weights(file: Reader | Held, model: Model) -> list[tuple[str, Variable]]:
    """Names of arrays and the variables that they belong to; refused if these are not all of them."""
    fix = "use a model of the same layers"
    named = {}
    for name in file.table:
        kind, _, rest = name.partition("/")
        if kind == WEIGHTS:
            named[rest.partition("/")[0]] = name
    variables = model.variables
    if named.keys() != {str(i) for i in range(len(variables))}:
        received, expected = f"{len(named)} arrays", f"{len(variables)}, as many as {model.name!r} has"
        raise wrong(file.path, "weights", received, expected, fix)
    found = [(named[str(i)], variable) for i, variable in enumerate(variables)]
    for name, variable in found:
        check_like(file, name, variable, fix)
    return found


def check_like(file: Reader | Held, name: str, variable: Variable, fix: str) -> None:
    """Refuse an array of another shape or type than a variable has."""
    dtype, shape, _ = file.table[name]
    if tuple(shape) != variable.shape or dtype != str(variable.dtype):
        received, expected = f"{dtype} of shape {tuple(shape)}", f"{variable.dtype} of shape {variable.shape}"
        raise wrong(file.path, f"array {name!r}", received, expected, fix)


def optimizer_arrays(model: Model) -> dict[str, np.ndarray]:
    """What the optimizer keeps of each variable."""
    return {f"{OPTIMIZER}/{name}": array for name, array in model.optimizer.state(model.variables).items()}


def optimizer_config(model: Model) -> dict[str, Any]:
    """What an optimizer knows besides its configuration and its arrays."""
    optimizer: Optimizer = model.optimizer
    chosen, pattern = optimizer._not_decayed
    places = [i for i, v in enumerate(model.variables) if id(v) in chosen]
    return {
        "iterations": int(optimizer._iterations[0]),
        "not_decayed": [places, pattern],
        "swapped": optimizer.swapped,
    }


def restore_optimizer(file: Reader | Held, model: Model, described: Any) -> None:
    """Give the optimizer of a new model the state that the file has."""
    optimizer: Optimizer = model.optimizer
    fix, variables = "use an undamaged file", model.variables
    (places, pattern), iterations, swapped = (described[key] for key in ("not_decayed", "iterations", "swapped"))
    if type(iterations) is not int or not 0 <= iterations < 2**62:
        raise invalid("iterations", show(iterations), "a number of steps", fix)
    if not all(type(i) is int and 0 <= i < len(variables) for i in places) or type(swapped) is not bool:
        raise invalid("not_decayed and swapped", show(described), "places of variables, and true or false", fix)
    if pattern is not None:
        re.compile(pattern)
    table = {}
    for name, (dtype, shape, _) in file.table.items():
        kind, _, rest = name.partition("/")
        if kind == OPTIMIZER:
            table[rest] = dtype, tuple(shape)
    optimizer.restore(variables, table, lambda name, array: file.read_into(f"{OPTIMIZER}/{name}", array))
    optimizer._not_decayed = {id(variables[i]) for i in places}, pattern
    optimizer._iterations[0], optimizer.swapped = iterations, swapped
