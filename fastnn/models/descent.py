"""How ``fit`` runs an optimizer that evaluates the objective several times in each step.

Its program computes losses, metrics and gradients, and changes nothing. `Descent` stands where the executor of a
training program does: a run of it is one iteration, around runs of that program.
"""

import itertools
import math
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import config
from ..execute import NativeExecutor, NumpyExecutor, Run
from ..ops.table import OPS
from ..optimizers import LBFGS
from ..optimizers.lbfgs import Point
from ..optimizers.optimizer import RATE
from ..program import DATA, STEP, Program
from ..record import ASSIGNED, GRADIENT
from ..variable import Variable
from .objective import Objective
from .programs import PREDICTIONS, loss_values, total_loss


@dataclass
class Batch:
    """What all evaluations of an iteration have in common; see `NativeExecutor.run`. `team` is the largest so far."""

    data: dict[str, np.ndarray]
    first_rows: np.ndarray
    row_counts: np.ndarray
    seed: int
    iteration: np.ndarray
    team: int = 1


class Descent:
    """Runs iterations of a model's optimizer.

    Parameters
    ----------
    executor : NativeExecutor or NumpyExecutor
        Of a training program without updates.
    objective : Objective
    variables : list of Variable
        Those that are trained, in the order of the gradients that the program gives.
    """

    def __init__(self, executor: NativeExecutor | NumpyExecutor, objective: Objective, variables: list[Variable]):
        assert isinstance(objective.optimizer, LBFGS)
        self.executor, self.objective, self.trained = executor, objective, variables
        self.optimizer = objective.optimizer
        self.program: Program = executor.program
        self.variables, self.stepwise, self.count_all = executor.variables, executor.stepwise, False
        self.print_timings, self.dtype = executor.print_timings, config.floatx()
        self.assigned = {
            area.name: executor.variables[int(area.name.removeprefix(ASSIGNED))]
            for area in self.program.areas
            if area.name.startswith(ASSIGNED)
        }
        ends = [0, *itertools.accumulate(math.prod(v.shape) for v in variables)]
        self.size, self.places = ends[-1], [slice(*pair) for pair in itertools.pairwise(ends)]
        self.outputs = [
            area.name
            for area in self.program.areas
            if (area.kind == STEP and not area.name.startswith((GRADIENT, ASSIGNED)))
            or area.name.startswith(PREDICTIONS)
        ]
        # Where the objective is another one in the next iteration, with other masks or statistics.
        self.changes = bool(self.assigned) or any(step.in_python or OPS[step.op].random for step in self.program.steps)
        self._known: tuple[int, list[Any], list[np.ndarray], Point] | None = None

    def run(
        self,
        data: dict[str, np.ndarray],
        first_rows: np.ndarray,
        row_counts: np.ndarray,
        seed: int = 0,
        iteration: np.ndarray | None = None,
        on_nonfinite: str = "raise",
    ) -> Run:
        """One iteration on one batch; see `NativeExecutor.run`."""
        iteration = np.zeros(1, np.int64) if iteration is None else iteration
        batch = Batch(data, first_rows, row_counts, seed, iteration.copy())
        before = self._read()
        self.optimizer.begin(self.trained)
        try:
            start = self._known_start(data, before) or self._evaluate(before, batch)
            end = start
            if start.value < math.inf:
                rate, rounding = float(data[RATE].reshape(-1)[0]), float(np.finfo(self.dtype).eps)
                end = self.optimizer.iterate(lambda x: self._evaluate(x, batch), start, rate, rounding)
        except BaseException:
            self._write(before)
            raise
        self._write(end.x)
        for name in self.outputs:
            data[name][...] = end.found[name]
        finite = end.value < math.inf
        if not finite and on_nonfinite == "raise":
            return Run(0, 0, batch.team)
        iteration += 1
        if finite:
            for name, variable in self.assigned.items():
                variable.value[...] = end.found[name][0]
            self._remember(data, end)
        return Run(1, int(not finite), batch.team, ended=finite and self.optimizer.converged is not None)

    def _evaluate(self, x: np.ndarray, batch: "Batch") -> Point:
        """Loss and gradient at a point, or at what it is in the type of the variables, which get these values."""
        x = self._write(x)
        found = {name: np.zeros_like(batch.data[name]) for name in self.outputs}
        found |= {name: np.zeros((1, *variable.shape), self.dtype) for name, variable in self.assigned.items()}
        gradient = np.zeros(len(x), self.dtype)
        parts = {f"{GRADIENT}{i}": part[np.newaxis] for i, part in enumerate(self._parts(gradient))}
        given = batch.data | found | parts, batch.first_rows, batch.row_counts
        run = self.executor.run(*given, seed=batch.seed, iteration=batch.iteration)
        batch.team = max(batch.team, run.team)
        losses = loss_values(self.objective, self.program, found, batch.row_counts)
        value = float(total_loss(losses, found)[0])
        arrays = [gradient, *(found[name] for name in self.assigned)]
        finite = math.isfinite(value) and all(np.isfinite(array).all() for array in arrays)
        return Point(x, value if finite else math.inf, gradient.astype(np.float64), found)

    # Vectors

    def _parts(self, vector: np.ndarray) -> list[np.ndarray]:
        """A vector as arrays of the shapes of the variables, in its own memory."""
        return [vector[place].reshape(v.shape) for place, v in zip(self.places, self.trained, strict=True)]

    def _read(self) -> np.ndarray:
        """The variables as one vector."""
        x = np.empty(self.size)
        for place, variable in zip(self.places, self.trained, strict=True):
            x[place] = variable.value.reshape(-1)
        return x

    def _write(self, x: np.ndarray) -> np.ndarray:
        """Give the variables the values of a vector; what they became by it, in their own types."""
        with np.errstate(over="ignore"):
            for variable, part in zip(self.trained, self._parts(x), strict=True):
                variable.value[...] = part
        return self._read()

    # What is known already

    def _surroundings(self, data: dict[str, np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """What the objective depends on beside the trained variables: arrays of data, and values of other variables."""
        arrays = [data[area.name] for area in self.program.areas if area.kind == DATA]
        trained = {id(v) for v in self.trained}
        return arrays, [v.value for v in self.variables if id(v) not in trained]

    def _remember(self, data: dict[str, np.ndarray], end: Point) -> None:
        """Keep where an iteration ended, which is where the next one begins."""
        arrays, others = self._surroundings(data)
        self._known = self.optimizer._begun, [weakref.ref(array) for array in arrays], [v.copy() for v in others], end

    def _known_start(self, data: dict[str, np.ndarray], x: np.ndarray) -> Point | None:
        """The point that is known of these weights and data."""
        if self._known is None or self.changes:
            return None
        begun, references, others, point = self._known
        given, present = self._surroundings(data)
        same = begun == self.optimizer._begun and np.array_equal(x, point.x)
        same = same and all(known() is array for known, array in zip(references, given, strict=True))
        return point if same and all(map(np.array_equal, others, present)) else None
