"""Where training is, in a file: weights, optimizer, epoch, history and the state of callbacks."""

import os
from typing import Any

import numpy as np

from .. import config
from ..callbacks.base import Callback
from ..errors import show
from ..models import Model
from . import container
from .container import Reader, wrong
from .state import (
    OPTIMIZER,
    described_by,
    matching_weights,
    optimizer_config,
    plain,
    random_layers,
    restore_optimizer,
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
    arrays = weights_of(model)
    arrays |= {f"{OPTIMIZER}/{name}": array for name, array in model.optimizer.state(model.variables).items()}
    rate = model.optimizer._learning_rate
    states = [packed(callback.state(), arrays, f"{CALLBACKS}/{i}") for i, callback in enumerate(callbacks)]
    description = {
        "model": None,
        "backup": {
            "epoch": epoch,
            "stopped": model.stop_training,
            "seed": config.seed(),
            "streams": [layer._stream for layer in random_layers(model)],
            "source": source,
            "learning_rate": None if callable(rate) else rate,
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


def restore_backup(file: Reader, model: Model, callbacks: list[Callback]) -> tuple[int, list[int]]:
    """Give model, optimizer and callbacks what they had; the epoch that comes next, and where the data were.

    Raises
    ------
    FormatError
        The file is of a training with other layers, callbacks or seed; nothing has changed.
    """
    with file:
        path, found = file.path, file.description["backup"]
        weights = matching_weights(file, model)
        fix = "train as before, or remove the backup"
        for name, now in (
            ("seed", config.seed()),
            ("streams", [layer._stream for layer in random_layers(model)]),
            ("callbacks", [type(callback).__name__ for callback in callbacks]),
        ):
            then = [name for name, _ in found[name]] if name == "callbacks" else found.get(name)
            if then != now:
                repair = "call set_random_seed() before making the model, or remove the backup"
                raise wrong(path, name, show(then), show(now), fix if name == "callbacks" else repair)
        with described_by(file.path, "optimizer"):
            restore_optimizer(file, model, file.description.get("optimizer"))
        for name, variable in weights:
            file.read_into(name, variable.value)
        if found["learning_rate"] is not None:
            model.optimizer.learning_rate = found["learning_rate"]
        for callback, (_, state) in zip(callbacks, found["callbacks"], strict=True):
            callback.restore(unpacked(state, file))
        model.stop_training = bool(found["stopped"])
        return int(found["epoch"]), list(found["source"])


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
