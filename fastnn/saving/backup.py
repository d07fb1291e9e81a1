"""Where training is, in a file: weights, optimizer, epoch, history and the state of callbacks."""

import os
import random
from typing import Any

import numpy as np

from .. import config, optimizers
from ..callbacks.base import Callback, Place, Training
from ..errors import invalid, show
from ..layers.base import Structure
from ..metrics import Metric
from ..models import Model
from ..schedules import LearningRateSchedule
from . import container
from .container import Reader, wrong
from .state import (
    described_by,
    matching_weights,
    optimizer_arrays,
    optimizer_config,
    plain,
    random_layers,
    restore_optimizer,
    streams_of,
    weights_of,
)

STATE = "state"  # first part of the names of arrays that callbacks, data and metrics keep


def check_resumable(training: Training, within: bool) -> None:
    """Refuse data, and within an epoch metrics, that cannot go on where they were."""
    for source, argument in zip(sources_of(training), ("x", "validation_data"), strict=False):
        source.check_resumable(argument)
    for metric in training.model._metrics() if within else ():
        own = type(metric).reset_state is not Metric.reset_state
        if own and metric.kept is None and type(metric).state is Metric.state:
            received = f"{type(metric).__name__}, which resets itself and does not say what"
            expected = "one that does, to go on within an epoch"
            fix = "set its attribute kept to the names of what is no variable, or to ()"
            raise invalid(f"metric {metric.name!r}", received, expected, fix)


def write_backup(path: str | os.PathLike[str], training: Training, place: Place) -> None:
    """Write all that a training goes on with."""
    model, within, sources = training.model, place.batch > 0, sources_of(training)
    arrays = weights_of(model) | optimizer_arrays(model)
    rate = model.optimizer._learning_rate
    description = {
        "model": None,
        "backup": identity(training)
        | {
            "epoch": place.epoch,
            "batch": place.batch,
            "began": training.step,
            "stopped": model.stop_training,
            "stream": config._stream,
            "calls": [layer._eager_calls for layer in random_layers(model)],
            "trainable_now": model._trainable_flags(),
            "positions": [
                source.began if within and source is training.source else source.position() for source in sources
            ],
            "learning_rate": None if callable(rate) else rate,
            "random": random_state(),
            "state": {
                "callbacks": [
                    packed(state_of(callback), arrays, f"{STATE}/{i} {type(callback).__name__}")
                    for i, callback in enumerate(training.called.callbacks)
                ],
                "data": [packed(source.state(), arrays, f"{STATE}/{source.kind}") for source in sources],
                "logs": packed(place.logs, arrays, f"{STATE}/logs"),
                "running": packed(model._running() if within else None, arrays, f"{STATE}/metrics"),
            },
        },
        "optimizer": optimizer_config(model),
    }
    container.write(path, arrays, plain(description))


def open_backup(path: str | os.PathLike[str]) -> Reader:
    """A backup, all of it undamaged; to be used in a ``with`` block.

    Raises
    ------
    FormatError
        It is damaged, or none.
    """
    file = Reader(path)
    try:
        if not isinstance(file.description.get("backup"), dict):
            raise wrong(path, "contents", "no backup", "one that BackupAndRestore wrote")
        file.check(list(file.table))
    except BaseException:
        file.__exit__()
        raise
    return file


def restore_backup(file: Reader, training: Training) -> Place:
    """Give model, optimizer, callbacks and data what they had; where training goes on.

    Raises
    ------
    FormatError
        The file is of a training with other layers, callbacks, metrics, data, optimizer or seed, or of one that began
        later; nothing has changed.
    """
    model, called, sources = training.model, training.called, sources_of(training)
    with file:
        weights = matching_weights(file, model)
        with described_by(file.path, "backup", "remove the backup"):
            found = file.description["backup"]
            check_alike(file.path, found, training)
            place, positions, rate = position_in(file.path, found, sources)
            state = checked_state(file, found, training)
            place.logs = state["logs"]
            restore_random(found["random"])
            if place.batch:
                model._go_on(state["running"])
            restore_optimizer(file, model, file.description["optimizer"])

        def give() -> None:
            for layer, flag in zip(model._tree(), found["trainable_now"], strict=True):
                layer._trainable = flag
            Structure.changes += 1
            for layer, calls in zip(random_layers(model), found["calls"], strict=True):
                layer._eager_calls = calls
            for name, variable in weights:
                file.read_into(name, variable.value)
            if rate is not None and rate != model.optimizer._learning_rate:
                model.optimizer.learning_rate = rate
            for part, remembered in zip(called.callbacks, state["callbacks"], strict=True):
                type(part).restore(part, remembered)
            for source, remembered in zip(sources, state["data"], strict=True):
                source.restore(remembered)

        give()
        if place.batch:  # for what is not in the file; what is, is given once more
            called.on_epoch_begin(place.epoch)
        for source, position in zip(sources, positions, strict=True):
            source.resume(position, place.batch if source is training.source else 0)
        if place.batch:
            restore_optimizer(file, model, file.description["optimizer"])
            give()
        restore_random(found["random"])
        config._stream = found["stream"]
        model.stop_training, training.step = found["stopped"], found["began"]
        return place


def identity(training: Training) -> dict[str, Any]:
    """What tells a training from another one."""
    model = training.model
    assert model._objective is not None
    return {
        "seed": config.seed(),
        "streams": streams_of(model),
        "callbacks": kinds(training.called.callbacks),
        "data": [source.kind for source in sources_of(training)],
        "loss": [goal.loss.name if goal.loss else None for goal in model._objective.goals],
        "metrics": kinds(model._metrics()),
        "trainable": training.trainable,
        "optimizer": like(model),
    }


def check_alike(path: str, found: dict[str, Any], training: Training) -> None:
    """Refuse a backup of another training."""
    for name, now in identity(training).items():
        if found[name] != plain(now):
            seeds = "call set_random_seed() before making the model"
            fix = seeds if name in ("seed", "streams") else "train as before"
            raise wrong(path, name, show(found[name]), show(now), f"{fix}, or remove the backup")
    if found["began"] > training.step:
        received, expected = f"{found['began']}", f"at most {training.step}, the present one"
        fix = "use a folder for each call of fit, or remove the backup"
        raise wrong(path, "step with which it began", received, expected, fix)


def position_in(path: str, found: dict[str, Any], sources: list[Any]) -> tuple[Place, list[list[int]], float | None]:
    """Where a backup was written: epoch and batch, the positions of the data, and the learning rate if it has one."""
    place, positions = Place(found["epoch"], found["batch"]), found["positions"]
    numbers = [place.epoch, place.batch, found["began"], *(n for position in positions for n in position)]
    lengths = [len(position) for position in positions] == [len(source.position()) for source in sources]
    if not lengths or not all(type(n) is int and n >= 0 for n in numbers):
        raise wrong(path, "position", show([place.epoch, place.batch, positions]), "numbers of at least 0")
    rate = found["learning_rate"]
    if rate is not None and type(rate) not in (int, float):
        raise wrong(path, "learning_rate", show(rate), "a number")
    return place, positions, rate


def checked_state(file: Reader, found: dict[str, Any], training: Training) -> dict[str, Any]:
    """What callbacks, data and metrics remember, and the logs; refused if layers, or these, are others."""
    state = {name: unpacked(part, file) for name, part in found["state"].items()}
    parts = [*training.called.callbacks, *sources_of(training)]
    for part, remembered in zip(parts, [*state["callbacks"], *state["data"]], strict=True):
        own = type(part).state is not Callback.state
        if type(remembered) is not dict or not (own or remembered.keys() == set(part.kept)):
            raise wrong(file.path, "state", show(remembered), f"what {type(part).__name__} remembers")
    state["logs"] = dict(state["logs"])
    counters, flags = [found["stream"], *found["calls"]], [*found["trainable_now"], found["stopped"]]
    known = len(counters), len(flags)
    expected = 1 + len(random_layers(training.model)), 1 + len(training.trainable)
    if known != expected or {*map(type, counters)} != {int} or {*map(type, flags)} != {bool}:
        raise wrong(file.path, "stream", show([counters, flags]), "numbers, and true or false")
    return state


def sources_of(training: Training) -> list[Any]:
    """Where data come from: those to train on, and those for validation."""
    return [source for source in (training.source, training.tested) if source is not None]


def kinds(parts: list[Any]) -> list[str]:
    """The names of classes."""
    return [type(part).__name__ for part in parts]


def state_of(part: Any) -> dict[str, Any]:
    """What a callback, or data, remember; by the class, for an attribute of one may be called state."""
    return dict(type(part).state(part))


def like(model: Model) -> Any:
    """What tells an optimizer from another one: class and arguments; of its rate, which callbacks change, the kind."""
    optimizer = model.optimizer
    made, rate = optimizers.serialize(optimizer), optimizer._learning_rate
    arguments = {name: value for name, value in made["config"].items() if name != "name"}
    if not isinstance(rate, LearningRateSchedule):
        arguments["learning_rate"] = "callable" if callable(rate) else "number"
    return [made["class_name"], arguments]


def random_state() -> list[Any]:
    """Where the generators of NumPy and Python are, which data sets and callbacks may draw from."""
    kind, numbers, *rest = np.random.get_state(legacy=True)
    return [[kind, np.asarray(numbers).tolist(), *rest], random.getstate()]


def restore_random(state: Any) -> None:
    """Let the generators go on where `random_state` was."""
    (kind, numbers, *rest), (version, inner, normal) = state
    random.setstate((version, tuple(inner), normal))
    np.random.set_state((kind, np.array(numbers, np.uint32), *rest))


def packed(value: Any, arrays: dict[str, np.ndarray], name: str) -> Any:
    """A state as JSON can express it, with its arrays moved to others; `unpacked` gives the same types again."""
    if isinstance(value, (np.ndarray, np.generic)) and (value.dtype.kind not in "biuf" or value.dtype.itemsize > 8):
        raise no_state(name, f"numbers of {value.dtype}")
    if type(value) is np.ndarray:
        exact = np.float64 if value.dtype.kind == "f" else np.int64  # uint64 wraps, and back
        arrays[name] = value if str(value.dtype) in container.DTYPES else value.astype(exact)
        return {"array": name, "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return {"number": packed(value.item(), arrays, name), "dtype": str(value.dtype)}
    if type(value) is dict:
        for key in value:
            if type(key) not in PLAIN:
                raise no_state(name, f"the key {show(key)}")
        return {"dict": [[key, packed(part, arrays, f"{name}/{i}")] for i, (key, part) in enumerate(value.items())]}
    if type(value) in (list, tuple):
        parts = [packed(part, arrays, f"{name}/{i}") for i, part in enumerate(value)]
        return parts if type(value) is list else {"tuple": parts}
    if type(value) is float and not np.isfinite(value):
        return {"float": repr(value)}
    if type(value) not in PLAIN:
        raise no_state(name, show(value))
    return value


PLAIN = str, int, float, bool, type(None)


def no_state(name: str, received: str) -> Exception:
    """The error of something that a backup cannot hold."""
    expected = "strings, numbers of up to 64 bits, arrays of them, None; lists, tuples and dicts of these"
    return invalid(name, received, expected, "leave it out of kept, or of what state() gives")


def unpacked(value: Any, file: Reader) -> Any:
    """What `packed` was given."""
    if isinstance(value, list):
        return [unpacked(part, file) for part in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        dtype, shape, _ = file.table[value["array"]]
        array = np.empty(shape, dtype)
        file.read_into(value["array"], array)
        return array.astype(number_type(value["dtype"]), copy=False)
    if "number" in value:
        return number_type(value["dtype"]).type(unpacked(value["number"], file))
    if "float" in value:
        return float(value["float"])
    if "tuple" in value:
        return tuple(unpacked(part, file) for part in value["tuple"])
    return {key: unpacked(part, file) for key, part in value["dict"]}


def number_type(name: Any) -> np.dtype[Any]:
    """The type of numbers with a name."""
    dtype = np.dtype(name)
    if dtype.kind not in "biuf":
        raise invalid("dtype", show(name), "a type of numbers", "use an undamaged file")
    return dtype
