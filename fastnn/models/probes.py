"""What looks at a model and changes nothing: loss and gradients of a training step, on copies of the weights."""

from dataclasses import replace
from typing import Any

import numpy as np

from .. import config
from ..execute import make_executor
from ..optimizers import Optimizer
from ..program import STEP
from ..record import GRADIENT, Recorder, Symbolic
from ..variable import Variable
from .objective import Objective
from .programs import PENALTY, TRAIN, input_areas, loss_values, record_objective


class Copying(Recorder):
    """A recording that works on copies of a model's variables; in float64 they are of that type."""

    def __init__(self, rows: int, dtype: str):
        super().__init__(rows, dtype)
        self._copies: dict[int, tuple[Variable, Variable]] = {}  # with the variable, so that the id stays its own

    def copy_of(self, variable: Variable) -> Variable:
        """The copy of a variable; the same one each time."""
        if id(variable) not in self._copies:
            floating = variable.dtype.kind == "f" and self.dtype == "float64"
            dtype = self.dtype if floating else str(variable.dtype)
            made = Variable(variable.value, variable.trainable, variable.name, dtype)
            made.path = variable.path
            self._copies[id(variable)] = variable, made
        return self._copies[id(variable)][1]

    def variable(self, variable: Variable) -> Symbolic:
        return super().variable(self.copy_of(variable))


class Outlet(Optimizer):
    """Stands where a model's optimizer does, and gives the gradients out, or lets them go, instead of using them."""

    def __init__(self, wanted: bool):
        super().__init__(0.0)
        self.wanted = wanted

    def record(self, recorder: Recorder, gradients: list[tuple[Symbolic, Variable]], gather_only: bool = False) -> None:
        recorder.output_gradients([gradient for gradient, _ in gradients] if self.wanted else [])


class Probe:
    """The loss of one training step with its penalties, and its gradients by the trainable variables.

    It is the recording that training makes, with all samples in one batch and the random masks of the next step, on
    copies of the variables, which may be changed.

    Parameters
    ----------
    model : Trainer
        Compiled and built.
    arrays : dict of str to ndarray
        What `training_data` gave.
    dtype : {"float32", "float64"}
        Runs in C, or with NumPy.
    gradients : bool
        Without them a call computes the loss only.

    Attributes
    ----------
    samples : int
    variables : list of Variable
        Copies of the model's trainable variables, in their order.
    """

    def __init__(self, model: Any, arrays: dict[str, np.ndarray], dtype: str, gradients: bool = True):
        goals = tuple(replace(goal, metrics=(), weighted_metrics=()) for goal in model._objective.goals)
        self.objective = Objective(goals, Outlet(gradients))
        inputs = [arrays[name] for name in input_areas(model)]
        rows = self.samples = len(inputs[0])
        recorder = Copying(rows, dtype)
        with recorder:
            stored = [dtype if x.dtype.kind == "f" else str(x.dtype) for x in inputs]
            record_objective(recorder, model, TRAIN, stored, self.objective, list(arrays), False)
            self.variables = [recorder.copy_of(v) for v in model.trainable_variables]
        self.executor = make_executor(recorder, f"probe of {model.name}")
        recorder.forget()
        self.iteration = model.optimizer._iterations.copy()
        self.arrays = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in arrays.items()}
        self.arrays["order"] = np.arange(rows)
        areas = [area for area in self.executor.program.areas if area.kind == STEP]
        self.outputs = {area.name: np.zeros((1, *area.shape), area.dtype) for area in areas}
        self.penalties = [name for name in self.outputs if name.startswith(PENALTY)]

    def __call__(self) -> float:
        """The loss for the present values of the copies."""
        arrays, zero, iteration = {**self.arrays, **self.outputs}, np.zeros(1, np.int64), self.iteration.copy()
        self.executor.run(arrays, zero, zero + self.samples, seed=config.seed(), iteration=iteration)
        losses = loss_values(self.objective, self.executor.program, self.outputs, np.array([self.samples]))
        total = sum(goal.weight * float(values[0]) for goal, values in losses)
        return total + sum(float(self.outputs[name][0]) for name in self.penalties)

    def gradients(self) -> list[np.ndarray]:
        """The gradients of the call before, in float64."""
        return [self.outputs[f"{GRADIENT}{i}"][0].astype(np.float64) for i in range(len(self.variables))]


def training_data(model: Any, x: Any, y: Any, sample_weight: Any) -> dict[str, np.ndarray]:
    """The arrays that a training step on all of these samples reads; the model is built if they are its first data."""
    return model._data(model._samples(x, y, sample_weight))  # type: ignore[no-any-return]


def numbered(names: list[str]) -> list[str]:
    """The names, those that come again with the number of their turn."""
    return [f"{name} ({names[: i + 1].count(name)})" if name in names[:i] else name for i, name in enumerate(names)]
