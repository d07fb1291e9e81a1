"""L-BFGS: steps along quasi-Newton directions, each found by a line search.

The mathematics are those of vectors; `fastnn.models.descent` says what a vector is of a model.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import check_integer, check_number, invalid, is_one_of, show
from ..record import Recorder, Symbolic
from ..variable import Variable
from .line_search import Trial, dot, search
from .optimizer import Optimizer, not_negative

PLACES, CHANGES = "places of variables", "changes of weights and gradient"  # names in files

NO_MEANING = {
    "weight_decay": "add kernel_regularizer='l2' to the layers, which the line search takes into account",
    "clipnorm": "leave it out, for the line search limits steps",
    "clipvalue": "leave it out, for the line search limits steps",
    "global_clipnorm": "leave it out, for the line search limits steps",
    "gradient_accumulation_steps": "leave it out, for each step takes all samples",
    "use_ema": "leave it out, for steps do not swing around a minimum",
    "ema_overwrite_frequency": "leave it out",
}


@dataclass(frozen=True)
class Point:
    """Weights with what the objective is there.

    Attributes
    ----------
    x : float64 ndarray of shape (n,)
    value : float
        Infinite where value or gradient are not finite.
    gradient : float64 ndarray of shape (n,)
    found : object
        What was computed besides.
    """

    x: np.ndarray
    value: float
    gradient: np.ndarray
    found: Any = None


class LBFGS(Optimizer):
    """The quasi-Newton method with limited memory (Liu and Nocedal 1989) for all samples at once.

    ``fit(..., batch_size="full")`` makes one iteration in each epoch: the direction ``d = -H g`` comes from the last
    `history_size` changes of weights and gradient by the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4),
    the step ``w += t d`` from a line search for the strong Wolfe conditions with ``c1 = 1e-4`` and ``c2 = 0.9``
    (algorithms 3.5 and 3.6). The objective is the loss with its regularizers, as any other optimizer trains it.
    Training ends by itself once one of the tolerances is met, or no lower loss can be found; see `converged`.

    Logs hold loss and metrics of the weights **behind** the step, which the line search has computed. Samples are taken
    in the order of the data whatever `shuffle` says, so that sums have the same roundings in all epochs. Random layers
    (dropout) have the same masks in all evaluations of an iteration. Moving statistics change once in an iteration.

    Parameters
    ----------
    learning_rate : float, schedule or callable, default 1.0
        Greater than 0: the first `t` that the line search tries. In the first iteration, which knows no curvature, it
        is divided by the norm of the gradient if that is larger than 1.
    history_size : int, default 10
        Changes that are remembered; each takes 16 bytes for every weight.
    max_eval : int, default 25
        Evaluations of loss and gradient that a line search may take. A step that lowers the loss is taken even if it
        does not fulfil the other condition by then.
    tolerance_grad : float, default 1e-7
        Training ends where no element of the gradient is larger.
    tolerance_change : float, default 1e-9
        Training ends after a step that changes no weight by as much, or the loss by less.
    name : str, optional
    **kwargs
        Other arguments of `Optimizer`; those that would change steps or gradients behind the line search are refused.

    Attributes
    ----------
    converged : str or None
        Why training has ended: "tolerance_grad", "tolerance_change", "no lower loss"; None if it has not.

    Examples
    --------
    >>> import fastnn
    >>> model = fastnn.Sequential([fastnn.layers.Dense(1, input_shape=(1,))])
    >>> model.compile(fastnn.optimizers.LBFGS(), "mse")
    >>> history = model.fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0], batch_size="full", epochs=50, verbose=0)
    >>> model.predict([[3.0]])[0].round(3).tolist(), model.optimizer.iterations < 20
    ([7.0], True)
    """

    searches = True

    def __init__(
        self,
        learning_rate: Any = 1.0,
        history_size: int = 10,
        max_eval: int = 25,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        *,
        name: str | None = None,
        **kwargs: Any,
    ):
        expected = "a positive integer"
        self.history_size = check_integer("history_size", history_size, 1, expected, "pass for example 10", 2**31 - 1)
        self.max_eval = check_integer("max_eval", max_eval, 1, expected, "pass for example 25", 2**31 - 1)
        self.tolerance_grad = not_negative("tolerance_grad", tolerance_grad)
        self.tolerance_change = not_negative("tolerance_change", tolerance_change)
        for argument, fix in NO_MEANING.items():
            if not is_one_of(kwargs.get(argument), (None, False)):
                raise invalid(argument, show(kwargs[argument]), "no such argument for LBFGS", fix)
        super().__init__(learning_rate, name=name, **kwargs)
        self.converged: str | None = None
        self._begun = 0  # how often training has begun, so that what is known of the data before is not used again
        self.forget()

    # Mathematics

    def forget(self) -> None:
        """Go on without the curvature of the iterations so far."""
        self._changes: list[tuple[np.ndarray, np.ndarray, float]] = []  # of weights, of gradient, their product
        self._of: list[Variable] = []  # the variables that they are of

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """``-H g`` by the two-loop recursion; ``-g`` without anything remembered."""
        d, factors = -gradient, []
        for s, y, product in reversed(self._changes):
            factors.append(dot(s, d) / product)
            d -= factors[-1] * y
        if self._changes:
            s, y, product = self._changes[-1]
            d *= product / dot(y, y)
        for (s, y, product), factor in zip(self._changes, reversed(factors), strict=True):
            d += (factor - dot(y, d) / product) * s
        return d

    def iterate(
        self,
        evaluate: Callable[[np.ndarray], Point],
        start: Point,
        learning_rate: float = 1.0,
        rounding: float = 2.0**-52,
    ) -> Point:
        """One iteration.

        Parameters
        ----------
        evaluate : callable
            ``evaluate(x)`` gives the `Point` at x, or at what x is rounded to.
        start : Point
            Finite.
        learning_rate : float
            First step to try.
        rounding : float
            Relative error of values.

        Returns
        -------
        Point
            `start` where no lower value was found. `converged` tells whether this was the last iteration.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # far steps and steep slopes are tried, and refused
            return self._iterated(evaluate, start, learning_rate, rounding)

    def _iterated(
        self, evaluate: Callable[[np.ndarray], Point], start: Point, learning_rate: float, rounding: float
    ) -> Point:
        self.converged = None
        if np.abs(start.gradient).max(initial=0) <= self.tolerance_grad:
            self.converged = "tolerance_grad"
            return start
        end = self._searched(evaluate, start, learning_rate, rounding)
        if end is None and self._changes:  # which may be of weights that are far away
            self._changes.clear()
            end = self._searched(evaluate, start, learning_rate, rounding)
        if end is None:
            self.converged = "no lower loss"
            return start
        s, y = end.x - start.x, end.gradient - start.gradient
        product = dot(s, y)
        if product > np.finfo(np.float64).eps * math.sqrt(dot(s, s) * dot(y, y)):  # H stays positive definite
            self._changes = [*self._changes, (s, y, product)][-self.history_size :]
        if np.abs(s).max(initial=0) < self.tolerance_change or abs(end.value - start.value) < self.tolerance_change:
            self.converged = "tolerance_change"
        return end

    def _searched(
        self, evaluate: Callable[[np.ndarray], Point], start: Point, learning_rate: float, rounding: float
    ) -> Point | None:
        """What the line search finds along the direction; None if that is nothing lower."""
        direction = self.direction(start.gradient)
        slope = dot(start.gradient, direction)
        if not -math.inf < slope < 0:
            return None
        step = learning_rate
        if not self._changes:
            step /= max(1.0, math.sqrt(-slope))

        def trial(step: float) -> Trial:
            point = evaluate(start.x + step * direction)
            return Trial(step, point.value, dot(point.gradient, direction) if point.value < math.inf else 0.0, point)

        noise = 2 * rounding * abs(start.value)
        first = Trial(0.0, start.value, slope, start)
        found, fulfils = search(trial, first, step, noise, self.max_eval)
        point: Point = found.found
        return point if fulfils or point.value < start.value else None

    # For training

    def prepare(self, source: Any, variables: list[Variable], on_nonfinite: str) -> None:
        if source.samples is None or source.all != 1 or source.batches != 1:
            received = f"{source.batches} batches of {source.batch_size} samples in an epoch, of {source.samples}"
            received = "batches of a stream" if source.samples is None else received
            expected = f"all samples in one batch, for {type(self).__name__} compares losses of the same data"
            raise invalid("batch_size", received, expected, 'pass arrays and batch_size="full"')
        if on_nonfinite == "ignore":
            expected = "'raise' or 'skip', for a line search compares losses"
            raise invalid("on_nonfinite", show(on_nonfinite), expected, "pass one of them")
        for variable in variables:
            if variable.constraint is not None:
                received = f"the constraint of {variable.path!r}"
                expected = f"none, for a step of {type(self).__name__} ends where its line search has found the loss"
                raise invalid("constraint", received, expected, "use another optimizer, or a regularizer")
        source.shuffle = False
        self._begun += 1

    def begin(self, variables: list[Variable]) -> None:
        """Begin an iteration on vectors of these variables; what is remembered of others is forgotten."""
        self.converged = None
        if len(variables) != len(self._of) or any(a is not b for a, b in zip(variables, self._of, strict=True)):
            self.forget()
            self._of = list(variables)

    def record_assignments(self, recorder: Recorder) -> None:
        recorder.output_assignments()

    def record(self, recorder: Recorder, gradients: list[tuple[Symbolic, Variable]], gather_only: bool = False) -> None:
        recorder.output_gradients([gradient for gradient, _ in gradients])

    def apply_gradients(self, grads_and_vars: Any) -> None:
        """Refused: a step needs the loss as a function of the weights, which ``fit`` and ``train_on_batch`` have."""
        received = "gradients without their loss"
        fix = "call fit() or train_on_batch() of a model"
        raise invalid(f"{type(self).__name__}.apply_gradients()", received, "a loss to search along", fix, TypeError)

    def count_params(self) -> int:
        """Numbers kept from step to step: the iteration, a rate that is a number, what is remembered; 0 at first."""
        kept = sum(len(s) + len(y) for s, y, _ in self._changes)
        return kept + (1 if callable(self._learning_rate) else 2) if kept else 0

    def state(self, variables: list[Variable]) -> dict[str, np.ndarray]:
        places = {id(variable): i for i, variable in enumerate(variables)}
        if not self._changes or not all(id(variable) in places for variable in self._of):  # they are of another model
            return {}
        changes = np.array([[s, y] for s, y, _ in self._changes])
        return {PLACES: np.array([places[id(variable)] for variable in self._of]), CHANGES: changes}

    def restore(
        self,
        variables: list[Variable],
        table: dict[str, tuple[str, tuple[int, ...]]],
        read: Callable[[str, np.ndarray], None],
    ) -> None:
        if not table:
            self.forget()
            return
        fix = "use an undamaged file"
        arrays = {name: np.empty(shape, dtype) for name, (dtype, shape) in table.items()}
        for name, array in arrays.items():
            read(name, array)
        kinds = {name: (array.ndim, str(array.dtype)) for name, array in arrays.items()}
        if kinds != {PLACES: (1, "int64"), CHANGES: (3, "float64")}:
            raise invalid("arrays of the optimizer", show(kinds), f"{PLACES} and {CHANGES}", fix)
        places, changes = arrays[PLACES], arrays[CHANGES]
        if not all(0 <= i < len(variables) for i in places):
            raise invalid(PLACES, show(places), f"places among {len(variables)} variables", fix)
        of = [variables[i] for i in places]
        shape = (2, sum(math.prod(variable.shape) for variable in of))
        if changes.shape[1:] != shape or len(changes) > self.history_size:
            raise invalid(CHANGES, changes, f"at most {self.history_size} changes of shape {shape}", fix)
        self._changes, self._of = [(s, y, dot(s, y)) for s, y in changes], of

    @staticmethod
    def _checked_rate(rate: Any) -> Any:
        checked = Optimizer._checked_rate(rate)
        return checked if callable(checked) else positive_rate(checked)

    def _rate(self, iteration: int) -> float:
        return positive_rate(super()._rate(iteration))

    def get_config(self) -> dict[str, Any]:
        names = "history_size", "max_eval", "tolerance_grad", "tolerance_change"
        return super().get_config() | {name: getattr(self, name) for name in names}


def positive_rate(rate: float) -> float:
    """A first step that is one."""
    fix = "pass 1.0, from which line searches seldom differ"
    return check_number("learning_rate", rate, math.ulp(0.0), "a positive finite number", fix)
