"""How a model becomes a Program: one recording per mode."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

from .. import config, ops
from ..errors import invalid, show
from ..execute import NativeExecutor, NumpyExecutor, make_executor
from ..losses import LABELS, Loss
from ..metrics import MeanMetric, Metric
from ..ops.table import Shape
from ..optimizers import Optimizer
from ..program import STEP, Program
from ..record import Recorder, Symbolic
from ..variable import Variable

TRAIN, EVALUATE, PREDICT = "train", "evaluate", "predict"
PREDICTIONS = "predictions"  # output that metrics in Python read


@dataclass(frozen=True)
class Objective:
    """What training and evaluation compute besides the predictions."""

    loss: Loss
    metrics: tuple[Metric, ...]
    weighted_metrics: tuple[Metric, ...]
    optimizer: Optimizer

    @property
    def in_python(self) -> list[tuple[Metric, bool]]:
        """The metrics that take in arrays, and whether with their weights."""
        groups = ((self.metrics, False), (self.weighted_metrics, True))
        return [(m, weighted) for group, weighted in groups for m in group if not isinstance(m, MeanMetric)]


def penalty_name(i: int) -> str:
    """Name of the program output that holds the i-th penalty."""
    return f"penalty {i}"


def compile_program(
    model: Any,
    mode: str,
    rows: int,
    input_shape: Shape,
    x_dtype: str,
    objective: Objective | None = None,
    weighted: bool = False,
    checked: bool = True,
) -> NativeExecutor | NumpyExecutor:
    """Record, plan and make ready to run.

    Parameters
    ----------
    model : Layer
    mode : {"train", "evaluate", "predict"}
    rows : int
        Largest batch.
    input_shape : tuple
        With None for the batch axis.
    x_dtype : str
        Of the data set: "uint8" or the floating type.
    objective : Objective, optional
        Needed to train and evaluate.
    weighted : bool
        Whether there are sample weights.
    checked : bool
        Whether updates wait for the proof that everything is finite.

    Returns
    -------
    NativeExecutor or NumpyExecutor
        The latter for float64.
    """
    dtype = config.floatx()
    with Recorder(rows, dtype) as recorder:
        if mode == PREDICT:
            recorder.output(predictions(model, recorder.rows_input("x", input_shape[1:]), False), "y")
        else:
            assert objective is not None
            record_objective(recorder, model, mode, input_shape, x_dtype, objective, weighted, checked)
    executor = make_executor(recorder, f"{mode} {model.name}")
    recorder.forget()
    return executor


def record_objective(
    recorder: Recorder,
    model: Any,
    mode: str,
    input_shape: Shape,
    x_dtype: str,
    objective: Objective,
    weighted: bool,
    checked: bool,
) -> None:
    """Write predictions, loss and metrics, and for training gradients and updates."""
    order = recorder.rows_input("order", (), "int64")

    def gathered(name: str, shape: Shape, dtype: str) -> Symbolic:
        gather = {"uint8": ops.gather_uint8, "int32": ops.gather_int32}.get(dtype, ops.gather)
        return gather(recorder.data_input(name, shape, dtype), order)

    y_pred = predictions(model, gathered("x", input_shape[1:], x_dtype), mode == TRAIN)
    y_true = Targets(gathered, y_pred.shape, recorder.dtype)
    weights = gathered("weights", (), recorder.dtype) if weighted else None

    loss = objective.loss
    values = symbolic(f"loss {loss.name!r}", loss.call(y_true.of(loss.target), y_pred), weights)
    recorder.output(ops.weighted_sum(values, weights), "loss", STEP)
    penalties = [scalar(f"regularizer of {v.path!r}", r(recorder.variable(v))) for r, v in model.penalties]
    for metrics, metric_weights in ((objective.metrics, None), (objective.weighted_metrics, weights)):
        for metric in metrics:
            if not isinstance(metric, MeanMetric):
                continue
            found = metric.values(y_true.of(metric.target), y_pred)
            found = symbolic(f"metric {metric.name!r}", found, metric_weights)
            sums = ops.weighted_sum(found, metric_weights)
            recorder.output(sums, f"metric {metric.name}", STEP)

    if objective.in_python:
        recorder.output(y_pred, PREDICTIONS)

    if mode == TRAIN:
        variables = model.trainable_variables
        if not variables:
            advice = "set trainable = True on the model, or on those of its layers that shall learn"
            warnings.warn(f"model {model.name!r} has no trainable weights and learns nothing; {advice}", stacklevel=2)
        seeds = [(values, ops.mean_seed(values, weights, mean=int(loss.reduction != "sum")))]
        seeds += [(penalty, ops.fill(penalty, value=1.0)) for penalty in penalties]
        gradients = recorder.gradients(seeds, [recorder.variable(v) for v in variables])
        if checked:
            ops.check_finite(values)
            for gradient, variable in zip(gradients, variables, strict=True):
                with recorder.label(owner(variable)):
                    ops.check_finite(gradient)
            recorder.check_assignments()
        recorder.write_assignments()
        objective.optimizer.record(recorder, list(zip(gradients, variables, strict=True)))
    for i, penalty in enumerate(penalties):
        recorder.output(penalty, penalty_name(i), STEP)


def predictions(model: Any, x: Symbolic, training: bool) -> Symbolic:
    """The model's outputs, of the shape that memory is made for."""
    y_pred: Symbolic = model(x, training=training)
    if y_pred.shape != model.output_shape:
        raise invalid(
            f"output of model {model.name!r}",
            y_pred,
            f"shape {model.output_shape}, as compute_output_shape() of its layers says",
            "correct that method of your layer, or leave it out",
        )
    return y_pred


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


def loss_count(program: Program) -> tuple[int, bool]:
    """Values of the loss, and whether so many come from each sample (else from the batch)."""
    area = next(i for i, area in enumerate(program.areas) if area.name == "loss")
    step = next(step for step in program.steps if any(program.buffers[i].area == area for i in step.outs))
    assert step.ins[0] is not None
    shape = program.buffers[step.ins[0]].shape
    return math.prod(n for n in shape if n is not None), shape[:1] == (None,)


def owner(variable: Variable) -> str:
    """Name of the layer a variable belongs to."""
    return variable.path.rpartition("/")[0]


class Targets:
    """The targets as a program reads them, in each of the kinds that losses and metrics ask for."""

    def __init__(self, gathered: Any, prediction: Shape, dtype: str):
        self.gathered, self.prediction, self.dtype = gathered, prediction, dtype
        self.symbols: dict[str, Symbolic] = {}

    def of(self, kind: str) -> Symbolic:
        """The targets as values (shape of the predictions) or as labels (without the class axis)."""
        if kind not in self.symbols:
            shape = self.prediction[1:-1] if kind == LABELS else self.prediction[1:]
            dtype = "int32" if kind == LABELS else self.dtype
            self.symbols[kind] = self.gathered(f"y {kind}", shape, dtype)
        return self.symbols[kind]
