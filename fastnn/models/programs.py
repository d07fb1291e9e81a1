"""How a model becomes a Program: one recording per mode."""

import math
import warnings
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from .. import config, ops, tree
from ..errors import invalid, show
from ..execute import NativeExecutor, NumpyExecutor, make_executor
from ..losses import LABELS, Loss, target_shape
from ..losses.loss import SUM, WEIGHTED, nonzero
from ..metrics import MeanMetricWrapper
from ..ops.table import Shape
from ..program import STEP, Program
from ..record import Recorder, Symbolic
from ..variable import Variable
from .objective import Goal, Objective

TRAIN, EVALUATE, PREDICT = "train", "evaluate", "predict"
GATHER = "gather"  # a training step that leaves its gradients for a later one
SAMPLE = "sample"  # predictions of networks with dropped units, of rows in any order
PREDICTIONS = "predictions"  # output that metrics in Python read


PENALTY = "penalty "  # begins the names of outputs that are added to the loss


def compile_program(
    model: Any,
    mode: str,
    rows: int,
    x_dtypes: Sequence[str] | None = None,
    objective: Objective | None = None,
    weighted: Collection[str] = (),
    checked: bool = True,
    in_numpy: bool = False,
) -> NativeExecutor | NumpyExecutor:
    """Record, plan and make ready to run.

    Parameters
    ----------
    model : Model
        Built.
    mode : {"train", "gather", "evaluate", "predict", "sample"}
    rows : int
        Largest batch.
    x_dtypes : sequence of str, optional
        Of the data set's inputs: "uint8" or, by default, the floating type.
    objective : Objective, optional
        Needed to train and evaluate.
    weighted : collection of str
        Names of the arrays of sample weights that there are.
    checked : bool
        Whether updates wait for the proof that everything is finite.
    in_numpy : bool
        Whether to run with NumpyExecutor, as float64 does always.

    Returns
    -------
    NativeExecutor or NumpyExecutor
    """
    dtype, shapes = config.floatx(), tree.shape_leaves(model.input_shape)
    with Recorder(rows, dtype, samples=mode == SAMPLE) as recorder:
        if mode == PREDICT:
            x = [recorder.rows_input(name, s[1:]) for name, s in zip(input_areas(model), shapes, strict=True)]
            for name, y in zip(output_areas(model), predictions(model, x, False), strict=True):
                recorder.output(y, name)
            model._adds_losses = bool(recorder.losses)
        elif mode == SAMPLE:
            order, inputs = recorder.rows_input("order", (), "int64"), zip(input_areas(model), shapes, strict=True)
            x = [ops.gather(recorder.data_input(name, s[1:], dtype), order) for name, s in inputs]
            for name, y in zip(output_areas(model), predictions(model, x, None), strict=True):
                recorder.output(y, name)
        else:
            assert objective is not None
            dtypes = [dtype] * len(shapes) if x_dtypes is None else x_dtypes
            record_objective(recorder, model, mode, dtypes, objective, weighted, checked)
    executor = make_executor(recorder, f"{mode} {model.name}", in_numpy)
    executor.count_all = mode == SAMPLE
    recorder.forget()
    return executor


def input_areas(model: Any) -> list[str]:
    """Names of a model's inputs in its programs."""
    names = model.input_names
    return ["x"] if len(names) == 1 else [f"x {name}" for name in names]


def output_areas(model: Any) -> list[str]:
    """Names of a model's outputs in its programs for predictions."""
    names = model.output_names
    return ["y"] if len(names) == 1 else [f"y {name}" for name in names]


def record_objective(
    recorder: Recorder,
    model: Any,
    mode: str,
    x_dtypes: Sequence[str],
    objective: Objective,
    weighted: Collection[str],
    checked: bool,
) -> None:
    """Write predictions, losses and metrics, and for training gradients and updates."""
    order = recorder.rows_input("order", (), "int64")

    def gathered(name: str, shape: Shape, dtype: str) -> Symbolic:
        gather = {"uint8": ops.gather_uint8, "int32": ops.gather_int32}.get(dtype, ops.gather)
        return gather(recorder.data_input(name, shape, dtype), order)

    shapes = tree.shape_leaves(model.input_shape)
    inputs = zip(input_areas(model), shapes, x_dtypes, strict=True)
    training = mode in (TRAIN, GATHER)
    made = predictions(model, [gathered(name, shape[1:], dtype) for name, shape, dtype in inputs], training)

    losses: list[tuple[Goal, Symbolic, Symbolic | None]] = []
    for goal, y_pred in zip(objective.goals, made, strict=True):
        y_true = Targets(goal, gathered, y_pred.shape, recorder.dtype)
        weights = gathered(goal.area("weights"), (), recorder.dtype) if goal.area("weights") in weighted else None
        if goal.loss:
            loss = goal.loss
            check_trains(loss, y_pred, training)
            found, target = loss.call(y_true.of(loss.target), y_pred), y_true.of(loss.target)
            values = loss.scaled(symbolic(f"loss {loss.name!r}", found, weights), target, weights)
            recorder.output(ops.weighted_sum(values, weights), goal.area("loss"), STEP)
            losses.append((goal, values, weights))
        record_metrics(recorder, goal, y_true, y_pred, weights)
    penalties = [scalar(f"regularizer of {v.path!r}", r(recorder.variable(v))) for r, v in model.penalties]
    penalties += [loss for _, loss in recorder.losses]

    if training:
        variables = model.trainable_variables
        if not variables:
            advice = "set trainable = True on the model, or on those of its layers that shall learn"
            warnings.warn(f"model {model.name!r} has no trainable weights and learns nothing; {advice}", stacklevel=2)
        seeds = [(values, seed_of(goal, values, weights)) for goal, values, weights in losses]
        seeds += [(penalty, ops.fill(penalty, value=1.0)) for penalty in penalties]
        gradients = recorder.gradients(seeds, [recorder.variable(v) for v in variables])
        if checked and not objective.optimizer.searches:  # which looks at what it gets
            for _, values, _ in losses:
                ops.check_finite(values)
            for gradient, variable in zip(gradients, variables, strict=True):
                with recorder.label(owner(variable)):
                    ops.check_finite(gradient)
            recorder.check_assignments()
        objective.optimizer.record_assignments(recorder)
        objective.optimizer.record(recorder, list(zip(gradients, variables, strict=True)), mode == GATHER)
    for i, penalty in enumerate(penalties):
        recorder.output(penalty, f"{PENALTY}{i}", STEP)


def record_metrics(recorder: Recorder, goal: Goal, y_true: "Targets", y_pred: Symbolic, weights: Any) -> None:
    """Write the sums of the metrics of one output, and the predictions if metrics in Python read them."""
    for metrics, metric_weights in ((goal.metrics, None), (goal.weighted_metrics, weights)):
        for metric in metrics:
            if metric.in_c and isinstance(metric, MeanMetricWrapper):
                found = metric.values(y_true.of(metric.target), y_pred)
                found = symbolic(f"metric {metric.name!r}", found, metric_weights)
                recorder.output(ops.weighted_sum(found, metric_weights), f"metric {goal.log(metric)}", STEP)
    if goal.in_python:
        recorder.output(y_pred, goal.area(PREDICTIONS))


def seed_of(goal: Goal, values: Symbolic, weights: Symbolic | None) -> Symbolic:
    """The gradient of the model's loss by the values of one output's loss."""
    assert goal.loss
    weighted = goal.loss.reduction == WEIGHTED and weights is not None
    seed: Symbolic = ops.mean_seed(values, weights, mean=int(goal.loss.reduction != SUM and not weighted))
    if weighted:
        seed = seed / nonzero(ops.sum(weights) * float(math.prod(values.shape[1:])))
    return seed if goal.weight == 1 else ops.affine(seed, scale=goal.weight, offset=0.0)


def check_trains(loss: Loss, y_pred: Symbolic, training: bool) -> None:
    """Refuse losses in training that only evaluate, and classes along another axis than the last of predictions."""
    if training and not loss.trains:
        expected = "a loss with a slope: that of this one is 0 wherever it has one, so that nothing would be learned"
        fix = "train with a cross-entropy or a hinge loss, and pass this one as a metric"
        raise invalid("loss", repr(loss.name), expected, fix)
    if loss.target == LABELS and loss.axis not in (-1, len(y_pred.shape) - 1):
        fix = "move the classes to the last axis with layers.Permute, or use 'categorical_crossentropy'"
        raise invalid(f"axis of loss {loss.name!r}", loss.axis, "-1 in a model with integer labels", fix)


def predictions(model: Any, x: list[Symbolic], training: bool | None) -> list[Symbolic]:
    """The model's outputs, flat, of the shapes that memory is made for."""
    made = tree.flatten(model(tree.shape_pack(model.input_shape, x), training=training))
    for y_pred, shape in zip(made, tree.shape_leaves(model.output_shape), strict=True):
        if y_pred.shape != shape:
            raise invalid(
                f"output of model {model.name!r}",
                y_pred,
                f"shape {shape}, as compute_output_shape() of its layers says",
                "correct that method of your layer, or leave it out",
            )
    return made


def symbolic(argument: str, values: Any, weights: Any) -> Symbolic:
    """What a loss or metric returned: values for each sample, or for the batch when nothing weights its samples."""
    if not isinstance(values, Symbolic) or (weights is not None and values.shape[:1] != (None,)):
        raise invalid(
            argument,
            show(values),
            "one value per sample, made with fastnn.ops" if weights is not None else "an array made with fastnn.ops",
            "return an array of shape (batch,), not its mean" if weights is not None else "use its functions",
            TypeError,
        )
    return values if values.shape else ops.reshape(values, (1,))


def scalar(argument: str, value: Any) -> Symbolic:
    """What a regularizer returned, if it is one number."""
    if not isinstance(value, Symbolic) or value.shape != ():
        raise invalid(argument, show(value), "one number, made with fastnn.ops", "return for example a sum", TypeError)
    return value


def loss_values(
    objective: Objective, program: Program, outputs: dict[str, np.ndarray], counts: np.ndarray
) -> list[tuple[Goal, np.ndarray]]:
    """The losses of the outputs that have one, unweighted: a value for each of the batches of so many rows."""
    found = []
    for goal in objective.losses:
        assert goal.loss
        values, weights = outputs[goal.area("loss")].astype(np.float64).T
        if goal.loss.reduction == WEIGHTED:
            values = values / np.where(weights == 0, 1, weights)
        elif goal.loss.reduction != SUM:
            number, per_row = loss_count(program, goal.area("loss"))
            values = values / (number * counts if per_row else number)
        found.append((goal, values))
    return found


def total_loss(found: list[tuple[Goal, np.ndarray]], outputs: dict[str, np.ndarray]) -> np.ndarray:
    """The loss that is trained: the weighted sum of those that `loss_values` found, and the penalties."""
    total = np.zeros_like(found[0][1])
    for goal, value in found:
        total += value if goal.weight == 1 else value * goal.weight
    for name, penalty in outputs.items():
        if name.startswith(PENALTY):
            total += penalty
    return total


def loss_count(program: Program, name: str) -> tuple[int, bool]:
    """Values of the loss in an area, and whether so many come from each sample (else from the batch)."""
    area = next(i for i, area in enumerate(program.areas) if area.name == name)
    step = next(step for step in program.steps if any(program.buffers[i].area == area for i in step.outs))
    assert step.ins[0] is not None
    shape = program.buffers[step.ins[0]].shape
    return math.prod(n for n in shape if n is not None), shape[:1] == (None,)


def owner(variable: Variable) -> str:
    """Name of the layer a variable belongs to."""
    return variable.path.rpartition("/")[0]


class Targets:
    """The targets of an output as a program reads them, in each of the kinds that losses and metrics ask for."""

    def __init__(self, goal: Goal, gathered: Any, prediction: Shape, dtype: str):
        self.goal, self.gathered, self.prediction, self.dtype = goal, gathered, prediction, dtype
        self.symbols: dict[str, Symbolic] = {}

    def of(self, kind: str) -> Symbolic:
        """The targets as values (shape of the predictions), as labels (without the class axis) or of half its size."""
        if kind not in self.symbols:
            shape = target_shape(self.prediction, kind)[1:]
            dtype = "int32" if kind == LABELS else self.dtype
            self.symbols[kind] = self.gathered(f"{self.goal.area('y')} {kind}", shape, dtype)
        return self.symbols[kind]
