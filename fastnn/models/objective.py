"""What training and evaluation compute for each output of a model: its loss, its weight, its metrics."""

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import losses, tree
from .. import metrics as metrics_module
from ..errors import check_number, invalid, show, unknown
from ..losses import Loss
from ..metrics import Metric
from ..ops.table import Shape
from ..optimizers import Optimizer


@dataclass(frozen=True)
class Goal:
    """What is computed for one output.

    Attributes
    ----------
    name : str
        Of the output; empty for the only one of a model.
    loss : Loss or None
    weight : float
        Factor of its loss in the loss of the model.
    metrics, weighted_metrics : tuple of Metric
    """

    name: str
    loss: Loss | None
    weight: float
    metrics: tuple[Metric, ...]
    weighted_metrics: tuple[Metric, ...]

    @property
    def all_metrics(self) -> list[Metric]:
        return [*self.metrics, *self.weighted_metrics]

    @property
    def in_python(self) -> list[tuple[Metric, bool]]:
        """The metrics that take in arrays, and whether with their weights."""
        groups = ((self.metrics, False), (self.weighted_metrics, True))
        return [(m, weighted) for group, weighted in groups for m in group if not m.in_c]

    @property
    def kinds(self) -> set[str]:
        """The kinds of targets that loss and metrics ask for."""
        return {m.target for m in self.all_metrics} | ({self.loss.target} if self.loss else set())

    def area(self, noun: str) -> str:
        """Name of an array of this output in programs."""
        return f"{noun} {self.name}" if self.name else noun

    def log(self, metric: Metric) -> str:
        """Name of a metric in logs."""
        return f"{self.name}_{metric.name}" if self.name else str(metric.name)

    @property
    def loss_log(self) -> str:
        """Name of its loss in the logs of a model with several."""
        return f"{self.name}_loss"


@dataclass(frozen=True)
class Objective:
    """What training and evaluation compute besides the predictions."""

    goals: tuple[Goal, ...]
    optimizer: Optimizer

    @property
    def losses(self) -> list[Goal]:
        """The goals that have a loss."""
        return [goal for goal in self.goals if goal.loss]

    @property
    def logs(self) -> list[str]:
        """The names in logs."""
        parts = [goal.loss_log for goal in self.losses] if len(self.losses) > 1 else []
        return ["loss", *parts, *(goal.log(metric) for goal in self.goals for metric in goal.all_metrics)]

    @property
    def metrics(self) -> list[Metric]:
        return [metric for goal in self.goals for metric in goal.all_metrics]


def warn_of_binary_accuracy(objective: Objective, targets: list[Any]) -> bool:
    """Warn where binary accuracy is taken of classes, and return whether it did.

    That is where the loss of an output is binary cross-entropy, one of its metrics is binary accuracy, it has more
    than one column, and every row of its targets has one 1 and else zeros. Targets of several labels have rows with
    another number of ones, so that they are not meant.
    """
    for goal, target in zip(objective.goals, targets, strict=True):
        binary = getattr(goal.loss, "function", None) is losses.binary_crossentropy
        found = [m for m in goal.all_metrics if isinstance(m, metrics_module.BinaryAccuracy)]
        if not (binary and found and is_one_hot(target)):
            continue
        share = 1 - 1 / np.shape(target)[1]
        warnings.warn(
            f"metric {goal.log(found[0])!r} counts each of the {np.shape(target)[1]} outputs for itself: with one-hot "
            f"targets it is {share:.3g} even if every output is below the threshold; "
            "for the part of the samples whose class is right, use 'categorical_accuracy'",
            stacklevel=5,
        )
        return True
    return False


def is_one_hot(target: Any) -> bool:
    """Whether a matrix of several columns has one 1 in each row and else zeros."""
    if target is None or np.ndim(target) != 2 or not np.size(target) or np.shape(target)[1] < 2:
        return False
    array = np.asarray(target)
    return bool(((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all())


class Compiled:
    """The arguments of ``compile()``, checked as far as they can be before the outputs are known."""

    def __init__(self, optimizer: Optimizer, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any):
        self.optimizer = optimizer
        self.warned = False  # of binary accuracy
        self.loss = made_losses(loss)
        self.loss_weights = loss_weights
        self.metrics, self.weighted_metrics = metrics, weighted_metrics
        for group in (metrics, weighted_metrics):
            for metric in flat_metrics(group):
                metrics_module.get(metric)  # refuses unknown names now, though "accuracy" is resolved later
        weights = loss_weights if tree.is_nested(loss_weights) else [loss_weights]
        for _, weight in tree.children(weights):
            if weight is not None:
                check_number("loss_weights", weight, -1e300, "finite numbers", "pass a number for each output", 1e300)

    def check(self, names: list[str]) -> None:
        """Refuse lists and dicts that do not fit outputs of these names."""
        if all(loss is None for loss in by_output("loss", self.loss, names, spread=True)):
            raise invalid("loss", "None for every output", "a loss for one of them", "pass one to compile()")
        by_output("loss_weights", self.loss_weights, names, whole=True)
        metrics_by_output("metrics", self.metrics, names)
        metrics_by_output("weighted_metrics", self.weighted_metrics, names)

    def objective(self, names: list[str], shapes: list[Shape], targets: list[Shape | None]) -> Objective:
        """What is computed for outputs of these names and shapes, with targets of these shapes."""
        self.check(names)
        found = by_output("loss", self.loss, names, spread=True)
        weights = by_output("loss_weights", self.loss_weights, names)
        groups = [
            metrics_by_output("metrics", self.metrics, names),
            metrics_by_output("weighted_metrics", self.weighted_metrics, names),
        ]
        goals = []
        outputs = zip(names, found, weights, *groups, shapes, targets, strict=True)
        for name, loss, weight, plain, weighted, shape, target in outputs:
            made = [tuple(metrics_module.get(m, target, shape) for m in group) for group in (plain, weighted)]
            goal = Goal(name if len(names) > 1 else "", loss, 1.0 if weight is None else float(weight), *made)
            known = [metric.name for metric in goal.all_metrics]
            if len(set(known)) < len(known) or "loss" in known:
                raise invalid(
                    "metrics",
                    f"names {known}",
                    "names that differ from each other and from 'loss'",
                    "give each metric a name of its own",
                )
            goals.append(goal)
        objective = Objective(tuple(goals), self.optimizer)
        logs = Counter(objective.logs)
        for log, number in logs.items():
            if number > 1 or f"val_{log}" in logs:
                same = log if number > 1 else f"val_{log}"
                received = f"two that give {same!r} in the logs"
                expected, fix = "names that differ", "give an output or a metric another name"
                raise invalid("names of outputs and metrics", received, expected, fix)
        return objective


def made_losses(loss: Any) -> Any:
    """A loss for each entry of a list or a dict, or a single one."""
    if isinstance(loss, (list, tuple)):
        return [None if entry is None else losses.get(entry) for entry in loss]
    if isinstance(loss, dict) and not is_config(loss):
        return {key: None if entry is None else losses.get(entry) for key, entry in loss.items()}
    return losses.get(loss)


def is_config(value: Any) -> bool:
    """Whether this is the configuration of one object."""
    return isinstance(value, dict) and "class_name" in value


def flat_metrics(group: Any) -> list[Any]:
    """All metrics in lists and dicts, configurations of a metric whole."""
    if group is None:
        return []
    if is_config(group) or not isinstance(group, (list, tuple, dict)):
        return [group]
    return [metric for _, part in tree.children(group) for metric in flat_metrics(part)]


def metrics_by_output(argument: str, group: Any, names: list[str]) -> list[list[Any]]:
    """The metrics of each output; a plain list is that of the only one."""
    plain = len(names) == 1 and not (isinstance(group, dict) and not is_config(group))
    return [flat_metrics(entry) for entry in ([group] if plain else by_output(argument, group, names))]


def by_output(argument: str, value: Any, names: list[str], spread: bool = False, whole: bool = False) -> list[Any]:
    """An entry for each output, from a list or a dict; with `spread` a single one goes for all of them.

    Without `spread` and `whole` a dict may leave out outputs.

    Raises
    ------
    ValueError
        As many entries are missing or left over, or a key names no output.
    """
    if value is None:
        return [None] * len(names)
    if isinstance(value, dict) and not is_config(value):
        for key in value:
            if key not in names:
                raise unknown(f"key of {argument}", key, names)
        missing = [name for name in names if name not in value]
        if (spread or whole) and missing:
            raise invalid(
                argument,
                f"a dict without {', '.join(map(repr, missing))}",
                f"an entry for each of the outputs {', '.join(map(repr, names))}",
                "add it; None leaves an output without",
            )
        return [value.get(name) for name in names]
    if isinstance(value, (list, tuple)):
        if len(value) != len(names):
            raise invalid(
                argument,
                f"{len(value)} entries",
                f"one for each of the outputs {', '.join(map(repr, names))}",
                "pass a list of as many, or a dict by the names of the outputs",
            )
        return list(value)
    if spread or len(names) == 1:
        return [value] * len(names)
    raise invalid(
        argument,
        show(value),
        f"a list or a dict with an entry for each of the outputs {', '.join(map(repr, names))}",
        "say which output it is for",
    )
