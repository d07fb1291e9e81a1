"""Where training is, in a file: weights, optimizer, epoch, history and the state of callbacks."""

import os
import random
from typing import Any

import numpy as np

from .. import config, optimizers
from ..callbacks.base import Callback
from ..errors import show
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

CALLBACKS = "callbacks"  # first part of the names of their arrays


def write_backup(
    path: str | os.PathLike[str], model: Model, epoch: int, source: list[int], callbacks: list[Callback]
) -> None:
    """Write all that training goes on with at the beginning of an epoch.

    Parameters
    ----------
    path : path
    model : Model
        Compiled and built.
    epoch : int
        That comes next, counted from 0.
    source : list of int
        Where the data are.
    callbacks : list of Callback
        Those of the run, in their order.
    """
    arrays = weights_of(model) | optimizer_arrays(model)
    rate = model.optimizer._learning_rate
    states = [packed(callback.state(), arrays, f"{CALLBACKS}/{i}") for i, callback in enumerate(callbacks)]
    description = {
        "model": None,
        "backup": {
            "epoch": epoch,
            "stopped": model.stop_training,
            "seed": config.seed(),
            "streams": streams_of(model),
            "source": source,
            "optimizer": like(model),
            "learning_rate": None if callable(rate) else rate,
            "random": random_state(),
            "callbacks": [[type(callback).__name__, state] for callback, state in zip(callbacks, states, strict=True)],
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


def restore_backup(file: Reader, model: Model, callbacks: list[Callback], source: Any) -> int:
    """Give model, optimizer, callbacks and data what they had; the epoch that comes next.

    Raises
    ------
    FormatError
        The file is of a training with other layers, callbacks, data, optimizer or seed; nothing has changed.
    """
    with file:
        path, found = file.path, file.description["backup"]
        weights = matching_weights(file, model)
        seeds = "call set_random_seed() before making the model, or remove the backup"
        kinds = [[type(callback).__name__, sorted(callback.state())] for callback in callbacks]
        with described_by(path, "backup"):
            states = [unpacked(state, file) for _, state in found["callbacks"]]
            if not all(isinstance(state, dict) for state in states):
                raise wrong(path, "callbacks", show(states), "what their state() gave")
            then = [[name, sorted(state)] for (name, _), state in zip(found["callbacks"], states, strict=True)]
            for name, before, now, fix in (
                ("seed", found["seed"], config.seed(), seeds),
                ("streams", found["streams"], streams_of(model), seeds),
                ("callbacks", then, kinds, "train as before, or remove the backup"),
                ("optimizer", found["optimizer"], plain(like(model)), "train as before, or remove the backup"),
                ("data", len(found["source"]), len(source.position()), "train as before, or remove the backup"),
            ):
                if before != now:
                    raise wrong(path, name, show(before), show(now), fix)
            epoch, rate, stopped = found["epoch"], found["learning_rate"], found["stopped"]
            if not all(type(n) is int and n >= 0 for n in (epoch, *found["source"])) or type(stopped) is not bool:
                received = show([epoch, found["source"], stopped])
                raise wrong(path, "position", received, "numbers of at least 0, and true or false")
            if rate is not None and type(rate) not in (int, float):
                raise wrong(path, "learning_rate", show(rate), "a number")
            restore_random(found["random"])
            restore_optimizer(file, model, file.description.get("optimizer"))
        for name, variable in weights:
            file.read_into(name, variable.value)
        if rate is not None:
            model.optimizer.learning_rate = rate
        for callback, state in zip(callbacks, states, strict=True):
            callback.restore(state)
        model.stop_training = stopped
        source.resume(found["source"])
        return int(epoch)


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
    """A state with its arrays moved to others, as JSON can express it; floats that are no numbers by name."""
    if isinstance(value, np.ndarray):
        known = str(value.dtype) in container.DTYPES
        arrays[name] = value if known else value.astype(np.float64)
        return {"array": name}
    if isinstance(value, dict):
        return {"dict": [[key, packed(part, arrays, f"{name}/{i}")] for i, (key, part) in enumerate(value.items())]}
    if isinstance(value, (list, tuple)):
        return [packed(part, arrays, f"{name}/{i}") for i, part in enumerate(value)]
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        return {"float": repr(float(value))}
    return value.item() if isinstance(value, np.generic) else value


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
        return array
    if "float" in value:
        return float(value["float"])
    return {key: unpacked(part, file) for key, part in value["dict"]}
