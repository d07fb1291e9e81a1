"""Where training is, in a file: weights, optimizer, epoch, history and the state of callbacks."""

import os
import random
from typing import Any

import numpy as np

from .. import config, optimizers
from ..callbacks.base import Place, Training
from ..errors import invalid, show
from ..metrics import Metric
from ..models import Model
from . import container
from .container import Reader, wrong
from .state import (
    described_by,
    matching_weights,
    optimizer_arrays,
    optimizer_config,
    plain,
    restore_optimizer,
    streams_of,
    weights_of,
)

STATE = "state"  # first part of the names of arrays that callbacks, data and metrics keep


def check_resumable(training: Training, within: bool) -> None:
    """Refuse data, and within an epoch metrics, that cannot go on where they were."""
    training.source.position()
    if training.tested is not None:
        training.tested.position("validation_data")
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
        "backup": {
            "epoch": place.epoch,
            "batch": place.batch,
            "began": training.step,
            "stopped": model.stop_training,
            "seed": config.seed(),
            "streams": streams_of(model),
            "positions": [
                source.began if within and source is training.source else source.position() for source in sources
            ],
            "optimizer": like(model),
            "learning_rate": None if callable(rate) else rate,
            "random": random_state(),
            "callbacks": kinds(training.called.callbacks),
            "data": [source.kind for source in sources],
            "metrics": kinds(model._metrics()),
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
            state = {name: unpacked(part, file) for name, part in found["state"].items()}
            place.logs = dict(state["logs"])
            parts = [*called.callbacks, *sources]
            names = [state_of(part).keys() for part in parts]
            if [each.keys() for each in (*state["callbacks"], *state["data"])] != names:
                raise wrong(file.path, "state", show(state), "what the callbacks and data remember")
            restore_random(found["random"])
            if place.batch:
                model._go_on(state["running"])
            restore_optimizer(file, model, file.description["optimizer"])
        for name, variable in weights:
            file.read_into(name, variable.value)
        if place.batch:
            called.on_epoch_begin(place.epoch)
        for source, position, remembered in zip(sources, positions, state["data"], strict=True):
            source.resume(position, place.batch if source is training.source else 0)
            source.restore(remembered)
        if place.batch:  # the hook may have changed them once more
            restore_optimizer(file, model, file.description["optimizer"])
            for name, variable in weights:
                file.read_into(name, variable.value)
        if rate is not None:
            model.optimizer.learning_rate = rate
        for callback, remembered in zip(called.callbacks, state["callbacks"], strict=True):
            type(callback).restore(callback, remembered)
        restore_random(found["random"])
        model.stop_training, training.step = found["stopped"], found["began"]
        return place


def check_alike(path: str, found: dict[str, Any], training: Training) -> None:
    """Refuse a backup of another training."""
    model = training.model
    alike, seeds = "train as before, or remove the backup", "call set_random_seed() before making the model"
    for name, now, fix in (
        ("seed", config.seed(), f"{seeds}, or remove the backup"),
        ("streams", streams_of(model), f"{seeds}, or remove the backup"),
        ("callbacks", kinds(training.called.callbacks), alike),
        ("data", [source.kind for source in sources_of(training)], alike),
        ("metrics", kinds(model._metrics()), alike),
        ("optimizer", like(model), alike),
    ):
        if found[name] != plain(now):
            raise wrong(path, name, show(found[name]), show(now), fix)
    if found["began"] > training.step:
        received, expected = f"{found['began']}", f"at most {training.step}, the present one"
        fix = "use a folder for each call of fit, or remove the backup"
        raise wrong(path, "step with which it began", received, expected, fix)


def position_in(path: str, found: dict[str, Any], sources: list[Any]) -> tuple[Place, list[list[int]], float | None]:
    """Where a backup was written: epoch and batch, the positions of the data, and the learning rate if it has one."""
    place, positions = Place(found["epoch"], found["batch"]), found["positions"]
    numbers = [place.epoch, place.batch, *(n for position in positions for n in position)]
    lengths = [len(position) for position in positions] == [len(source.position()) for source in sources]
    if not lengths or not all(type(n) is int and n >= 0 for n in numbers) or type(found["stopped"]) is not bool:
        received = show([place.epoch, place.batch, positions, found["stopped"]])
        raise wrong(path, "position", received, "numbers of at least 0, and true or false")
    rate = found["learning_rate"]
    if rate is not None and type(rate) not in (int, float):
        raise wrong(path, "learning_rate", show(rate), "a number")
    return place, positions, rate


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
    """What tells an optimizer from another one: class and arguments, without the rate, which callbacks change."""
    made = optimizers.serialize(model.optimizer)
    return [
        made["class_name"],
        {name: v for name, v in made["config"].items() if name not in ("learning_rate", "name")},
    ]


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
    if isinstance(value, np.ndarray):
        exact = np.float64 if value.dtype.kind == "f" else np.int64  # uint64 wraps, and back
        arrays[name] = value if str(value.dtype) in container.DTYPES else value.astype(exact)
        return {"array": name, "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return {"number": packed(value.item(), arrays, name), "dtype": str(value.dtype)}
    if isinstance(value, dict):
        for key in value:
            if type(key) not in PLAIN:
                raise no_state(name, f"the key {show(key)}")
        return {"dict": [[key, packed(part, arrays, f"{name}/{i}")] for i, (key, part) in enumerate(value.items())]}
    if isinstance(value, (list, tuple)):
        parts = [packed(part, arrays, f"{name}/{i}") for i, part in enumerate(value)]
        return parts if isinstance(value, list) else {"tuple": parts}
    if isinstance(value, float) and not np.isfinite(value):
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
