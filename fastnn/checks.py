"""Whether a model's gradients are those of its loss."""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import config
from .errors import check_integer, invalid, show
from .models.probes import Probe, numbered, training_data
from .models.training import Trainer
from .ops.philox import permutation, random_bits
from .ops.table import OPS, concrete
from .program import aligned, counted
from .variable import Variable

EPSILON = float(np.finfo(np.float64).eps)
# Steps of the difference quotients. The first is near the cube root of epsilon, where truncation (h^2) and rounding
# (epsilon / h) of a smooth function are about equal; the smaller ones leave kinks and steep bends outside. Weights
# plus powers of two are not rounded.
STEPS = [2.0**-17, 2.0**-20, 2.0**-23, 2.0**-26]
DEVIATIONS = 8  # no rounding error of a sum of many is beyond so many standard deviations
ROUNDINGS = 4096  # of a gradient in float64
ROUNDED_RUNS = 8  # in float64, with the rounding of float32
POINTS, SPACING = 9, 1e-9  # where the rounding of the loss is measured
BESIDE = 2.0**-14  # so far from a kink it is none


@dataclass(frozen=True)
class Difference:
    """One element, or one direction, whose gradient is not the difference quotient.

    Attributes
    ----------
    where : tuple of int or None
        The element; None for a direction.
    gradient, quotient : float
        What should be equal.
    allowed : float
        How far they may be apart.
    """

    where: tuple[int, ...] | None
    gradient: float
    quotient: float
    allowed: float

    @property
    def distance(self) -> float:
        """How far they are apart."""
        return abs(self.gradient - self.quotient)

    @property
    def ok(self) -> bool:
        """Whether rounding explains it."""
        return self.distance <= self.allowed

    def __str__(self) -> str:
        where = "a random direction" if self.where is None else f"element {list(self.where)}"
        return (
            f"{where}: gradient {self.gradient:.9g}, difference quotient {self.quotient:.9g}, "
            f"which may differ by {self.allowed:.1e}"
        )


@dataclass(frozen=True)
class VariableCheck:
    """What the comparison found for one variable.

    Attributes
    ----------
    shape : tuple of int
    compared : int
        Elements, and random directions, that were compared.
    kinks : int
        Those that were drawn and not compared, because the loss has no derivative along them.
    difference : float
        The largest difference between gradient and difference quotient.
    relative : float
        Euclidean norm of the differences over that of the quotients.
    wrong : list of Difference
        Those that are larger than rounding explains, the worst first.
    float32 : float or None
        Relative distance of the gradient in float32, as C computes it, from the one in float64; None where training
        does not run in C.
    float32_allowed : float or None
        How large it may be.
    """

    shape: tuple[int, ...]
    compared: int
    kinks: int
    difference: float
    relative: float
    wrong: list[Difference]
    float32: float | None
    float32_allowed: float | None

    @property
    def ok(self) -> bool:
        """Whether nothing differs by more than rounding explains."""
        if self.float32 is None or self.float32_allowed is None:
            return not self.wrong
        return not self.wrong and math.isfinite(self.float32) and self.float32 <= self.float32_allowed

    @property
    def verdict(self) -> str:
        """The last column of the table."""
        if self.wrong:
            return "WRONG"
        return ("agrees" if self.compared else "only kinks") if self.ok else "WRONG in float32"


@dataclass(frozen=True, repr=False)
class GradientCheck:
    """The result of `gradient_check`. It prints as a table, and is true if the gradients agree.

    Attributes
    ----------
    model : str
    samples : int
    loss : float
        With penalties.
    variables : dict of str to VariableCheck
        By the paths of the trainable variables.
    direction : VariableCheck
        One random direction in the space of all of them together.
    """

    model: str
    samples: int
    loss: float
    variables: dict[str, VariableCheck]
    direction: VariableCheck

    @property
    def ok(self) -> bool:
        """Whether no gradient differs by more than rounding explains."""
        return self.direction.ok and all(check.ok for check in self.variables.values())

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        head = ["variable", "shape", "compared", "kinks", "difference", "relative", "float32", "verdict"]
        table, below = [head], []
        for name, check in [*self.variables.items(), ("all together", self.direction)]:
            numbers = [str(check.compared), str(check.kinks), f"{check.difference:.1e}", f"{check.relative:.1e}"]
            single = "-" if check.float32 is None else f"{check.float32:.1e}"
            shape = "x".join(map(str, check.shape)) or "scalar"
            table.append([name, shape, *numbers, single, check.verdict])
            below += [f"{name}, {check.wrong[0]}"] if check.wrong else []
        wrong = [name for name, check in self.variables.items() if not check.ok]
        found = "no gradient is wrong" if self.ok else f"wrong: {', '.join(wrong) or 'all together'}"
        loss = f"loss {self.loss:.6g} on {counted(self.samples, 'sample')}"
        columns = ("compared", "kinks", "difference", "relative", "float32")
        return "\n".join([f"Gradients of {self.model!r}, {loss}: {found}", *aligned(table, columns), *below])


def gradient_check(
    model: Trainer, x: Any, y: Any, sample_weight: Any = None, *, samples: int = 50, seed: int = 0
) -> GradientCheck:
    """Compare the gradients that training uses with difference quotients of the loss.

    For weights w, a direction v (one element, or random signs) and the loss L of all samples as one batch, penalties
    included, the gradient g is right if ``g v = (L(w + h v) - L(w - h v)) / 2h`` up to rounding, in float64. What
    training would use in float32, computed in C, is compared with g. Layers that act at random use the masks of the
    next training step on both sides. Some dozen samples are enough; the time is that of some hundred
    evaluations for each variable, with NumPy. Weights, optimizer and random streams stay as they are.

    Parameters
    ----------
    model : Model
        Compiled.
    x, y, sample_weight
        As in `fit`.
    samples : int, default 50
        So many elements of each variable are compared; of larger variables, which are drawn at random, also one
        random direction in the space of all elements.
    seed : int, default 0
        Chooses elements and directions.

    Returns
    -------
    GradientCheck
        A table when it is printed; `ok` says whether all agree, `variables` has the numbers.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        As in `fit`; or the model has no trainable weights, or its loss is another one at each evaluation. Gradients
        that differ raise nothing: write ``assert result.ok`` in a test.

    Notes
    -----
    The tolerance is derived. The rounding error s of the loss is measured from its differences on nearby points
    (Moré and Wild 2011), and E = 8 s bounds that of one evaluation. Quotients with h and h / 2, and those of either
    side, tell a smooth function from one with a kink: the former differ by at most 3 E / h of rounding, the latter
    by 20 E / h. Where they differ by more, h is made smaller, down to 2^-26. What passes is right within 16 E / h: 2 of
    rounding, 1 of truncation, and 13 that a kink in the interval can hide.

    At a kink, such as a ReLU whose input is exactly 0, the loss has no derivative, and any gradient between the
    slopes of the two sides serves. Such elements are counted as `kinks` and not compared. A variable that has no
    others is called "only kinks": it is not found wrong, and not proved right. Other weights or data move the
    kinks elsewhere. Where kinks cancel, as in ``relu(w) - relu(-w)`` at 0, the loss has a derivative that the rules of
    differentiation do not give (Kakade and Lee 2018): a gradient that is wrong here, and right 2^-14 to either side, is
    counted as one at a kink.

    In float32 the distance from float64 may be as large as that of a run in float64 in which weights and results of
    steps are moved by half a unit of float32 up or down at random and then rounded to float32 (the largest of 8 runs),
    times the length of the longest sum, which rounds as often. This is stochastic arithmetic (Vignes 2004).

    References
    ----------
    Kakade and Lee, "Provably correct automatic subdifferentiation for qualified programs", NeurIPS 2018.
    Moré and Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011).
    Vignes, "Discrete stochastic arithmetic for validating results of numerical software", Numer. Algorithms 37 (2004).

    Examples
    --------
    >>> import numpy as np
    >>> import fastnn
    >>> from fastnn import layers, ops
    >>> class Cube(layers.Layer):
    ...     def call(self, x):
    ...         return ops.python(lambda x: x**3, x, gradient=lambda dy, x: dy * 2 * x)  # it should be 3 x^2
    >>> fastnn.set_random_seed(1)
    >>> first, last = layers.Dense(2, input_shape=(3,), name="first"), layers.Dense(1, name="last")
    >>> model = fastnn.Sequential([first, Cube(), last])
    >>> model.compile("sgd", "mse")
    >>> result = fastnn.gradient_check(model, np.eye(3), np.ones(3))
    >>> result.ok, [name for name, check in result.variables.items() if not check.ok]
    (False, ['first/kernel', 'first/bias'])
    """
    if not isinstance(model, Trainer):
        raise invalid("model", show(model), "a compiled model", "pass for example a Sequential", TypeError)
    samples = check_integer("samples", samples, 1, "an integer of at least 1", "pass how many elements to compare")
    seed = check_integer("seed", seed, 0, "an integer from 0 to 2**32 - 1", "pass such an integer", 2**32 - 1)
    model._require_compiled()
    with model._exclusively(), np.errstate(all="ignore"):  # what is not finite is said in the result
        arrays = training_data(model, x, y, sample_weight)
        trained = model.trainable_variables
        if not trained:
            raise invalid(
                f"model {model.name!r}", "no trainable weights", "at least one", "set trainable = True on a layer"
            )
        loss = Loss(Probe(model, arrays, "float64", gradients=False), Probe(model, arrays, "float64"), seed)
        single: list[Any] = [(None, None)] * len(trained)
        if config.floatx() == "float32":
            in_c, in_numpy = Probe(model, arrays, "float32"), Probe(model, arrays, "float64")
            single = compare_float32(in_c, in_numpy, loss.gradients, seed)
        checks = [
            VariableCheck(v.shape, *compare(loss, elements(k, v, samples, seed)), *single[k])
            for k, v in enumerate(trained)
        ]
        direction = compare(loss, [random_direction(loss.weights, seed)])
    return GradientCheck(
        model.name,
        loss.value.samples,
        loss.start,
        dict(zip(numbered([v.path for v in trained]), checks, strict=True)),
        VariableCheck((sum(g.size for g in loss.gradients),), *direction, None, None),
    )


# A straight line through the weights: for each variable that changes its number, the elements, and the direction.
Line = list[tuple[int, Any, Any]]


def signs(size: int, seed: int, stream: int, turn: int) -> np.ndarray:
    """1 and -1 at random."""
    return 1.0 - 2.0 * (random_bits(1, size, seed, stream, turn)[0] & 1)


def elements(k: int, variable: Variable, samples: int, seed: int) -> Iterator[Line]:
    """Lines along elements of variable number k, all of them or so many; then one in a random direction."""
    size = math.prod(variable.shape)
    for i in range(size) if size <= samples else np.sort(permutation(size, seed, k)[:samples]).tolist():
        yield [(k, i, 1.0)]
    if size > samples:
        yield [(k, slice(None), signs(size, seed, k, 0) * scale(size))]


def random_direction(weights: list[np.ndarray], seed: int, turn: int = 0) -> Line:
    """A line along which all weights change."""
    each = scale(sum(w.size for w in weights))
    return [(k, slice(None), signs(w.size, seed, k, turn) * each) for k, w in enumerate(weights)]


def scale(size: int) -> float:
    """The power of two by which a direction of so many signs gets a length near 1."""
    return 2.0 ** -round(math.log2(max(size, 1)) / 2)


class Loss:
    """The loss along lines through the weights, and its gradients.

    Attributes
    ----------
    weights, gradients : list of ndarray
        Where the lines begin, and the gradients there.
    start : float
        The loss there.
    rounding : float
        Bound on the rounding error of the loss near there.
    """

    def __init__(self, value: Probe, gradient: Probe, seed: int):
        self.value, self.gradient = value, gradient
        self.weights = [v.value.copy() for v in value.variables]
        self.start, again = value(), gradient()
        if abs(again - self.start) > math.sqrt(EPSILON) * abs(self.start):
            raise invalid(
                "loss of the model",
                f"{self.start!r} and then {again!r} for the same weights and data",
                "a loss that depends on these alone",
                "take random numbers from Dropout, whose masks are known, and keep no state in own code",
                RuntimeError,
            )
        self.gradients = gradient.gradients()
        self.rounding = DEVIATIONS * float(np.median([self._deviation(seed, turn) for turn in range(1, 4)]))

    def at(self, line: Line, distance: float, probe: Probe | None = None) -> float:
        """The loss at a distance from the start."""
        probe = probe or self.value
        try:
            for k, where, direction in line:
                probe.variables[k].value.reshape(-1)[where] += distance * direction
            return probe()
        finally:
            for k, where, _ in line:
                probe.variables[k].value.reshape(-1)[where] = self.weights[k].reshape(-1)[where]

    def along(self, line: Line, distance: float) -> tuple[float, float]:
        """The gradient along a line at a distance from the start, and how far rounding can take it."""
        gradients = self.gradients
        if distance:
            self.at(line, distance, self.gradient)
            gradients = self.gradient.gradients()
        terms = [(gradients[k].reshape(-1), where, direction) for k, where, direction in line]
        largest = max(float(np.abs(flat).max(initial=0)) for flat, _, _ in terms)
        total = sum(float(np.sum(flat[where] * direction)) for flat, where, direction in terms)
        return total, ROUNDINGS * EPSILON * largest

    def _deviation(self, seed: int, turn: int) -> float:
        """Standard deviation of the rounding error, from the loss at nearby points of a line.

        Its k-th differences, from the third on, are those of the errors alone; their variance is that of the
        errors times the binomial coefficient of 2k and k.
        """
        line, found = random_direction(self.weights, seed, turn), []
        values = np.array([self.at(line, (i + 1) * SPACING) for i in range(POINTS)])
        for k in range(3, 7):
            found.append(math.sqrt(np.mean(np.diff(values, k) ** 2) / math.comb(2 * k, k)))
        return max(found)

    def slope(self, line: Line, distance: float = 0.0) -> tuple[float, float] | None:
        """The difference quotient, and how far it may be from the derivative; None at a kink."""
        middle = self.at(line, distance) if distance else self.start
        if not math.isfinite(middle):
            return math.nan, math.nan
        for h in STEPS:
            low, left, right, high = (self.at(line, distance + t) for t in (-h, -h / 2, h / 2, h))
            largest = max(abs(value) for value in (low, left, right, high, middle))
            error = max(self.rounding, DEVIATIONS * EPSILON * largest) / h
            wide, narrow = (high - low) / (2 * h), (right - left) / h
            wide_bend, narrow_bend = (high - 2 * middle + low) / h, (right - 2 * middle + left) / (h / 2)
            if abs(wide - narrow) <= 3 * error and abs(wide_bend - 2 * narrow_bend) <= 20 * error:
                return narrow, 16 * error
        return None

    def difference(self, line: Line, distance: float = 0.0) -> Difference | None:
        """Gradient and difference quotient at a distance from the start; None at a kink."""
        quotient = self.slope(line, distance)
        if quotient is None:
            return None
        k, where, _ = line[0]
        element = None if isinstance(where, slice) else tuple(map(int, np.unravel_index(where, self.weights[k].shape)))
        gradient, rounding = self.along(line, distance)
        return Difference(element, gradient, quotient[0], quotient[1] + rounding)

    def is_kink(self, line: Line) -> bool:
        """Whether a gradient that is wrong at the start is right on both sides of it."""
        sides = [self.difference(line, distance) for distance in (-BESIDE, BESIDE)]
        return all(side is not None and side.ok for side in sides)


def compare(loss: Loss, lines: Iterable[Line]) -> tuple[int, int, float, float, list[Difference]]:
    """The first attributes of `VariableCheck` behind the shape."""
    kinks, found = 0, []
    for line in lines:
        difference = loss.difference(line)
        if difference is None or (not difference.ok and loss.is_kink(line)):
            kinks += 1
        else:
            found.append(difference)
    distances = np.array([f.distance for f in found])
    norms = np.linalg.norm(distances), np.linalg.norm([f.quotient for f in found])
    wrong = sorted((f for f in found if not f.ok), key=lambda f: -f.distance)
    relative = float(norms[0] / norms[1]) if norms[1] else float(norms[0])
    return len(found), kinks, float(distances.max(initial=0)), relative, wrong


def compare_float32(single: Probe, double: Probe, exact: list[np.ndarray], seed: int) -> list[tuple[float, float]]:
    """Relative distance of each gradient in C from the one in float64, and how large it may be.

    `double` runs in float64, with the rounding of float32 put on every result at random.
    """

    def distances(probe: Probe) -> np.ndarray:
        probe()
        return np.array([np.linalg.norm(g - e) for g, e in zip(probe.gradients(), exact, strict=True)])

    def rounded(step: Any, outs: list[np.ndarray]) -> None:
        row = OPS[step.op]
        of_integers = row.integers and len(row.integers) == len(row.signature.parameters)
        if (row.tol == 0 or of_integers) and not step.epilogue:
            return  # exact, as comparisons, the largest of some numbers, labels as numbers
        for out in outs:
            if out.dtype.kind == "f" and out.flags.writeable:
                moved = out * (1 + unit / 2 * signs(out.size, seed, turn, next(count)).reshape(out.shape))
                out[...] = moved.astype(np.float32)

    unit, count = float(np.finfo(np.float32).eps), itertools.count()
    found, farthest = distances(single), np.zeros(len(exact))
    double.executor.trace = rounded  # type: ignore[union-attr]
    weights = [v.value.copy() for v in double.variables]
    for turn in range(ROUNDED_RUNS):
        for k, (variable, w) in enumerate(zip(double.variables, weights, strict=True)):
            variable.value[...] = w * (1 + unit / 2 * signs(w.size, seed, turn, k).reshape(w.shape))
        farthest = np.maximum(farthest, distances(double))
    norms = np.array([np.linalg.norm(e) for e in exact])
    program = single.executor.program
    shapes = [concrete(buffer.shape, program.rows) for buffer in program.buffers]
    longest = max(max(math.prod(shape[:-1]), *shape, 1) for shape in shapes)  # sum
    allowed = longest * farthest + unit * norms
    scales = np.where(norms, norms, 1)
    return list(zip((found / scales).tolist(), (allowed / scales).tolist(), strict=True))
