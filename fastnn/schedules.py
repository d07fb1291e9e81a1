"""Learning rates that follow a formula of the optimizer's step."""

import itertools
import math
import sys
from typing import Any

import numpy as np

from . import registry
from .errors import check_flag, check_integer, check_name, check_number, invalid, show
from .registry import Configurable, spellings
from .variable import Variable


def power(base: float, exponent: float) -> float:
    """``base ** exponent`` for an exponent of at least 0, by products and square roots only.

    These are correctly rounded everywhere, so no maths library has a say in a learning rate. Counting one
    rounding each, the relative error is below ``(exponent + 110) * 2**-53``.
    """
    if math.isinf(exponent):
        return 0.0 if base < 1 else base if base == 1 else math.inf
    whole = math.floor(exponent)
    fraction = exponent - whole  # exact
    result, square, root = 1.0, base, base
    while whole:
        if whole & 1:
            result *= square
        square *= square
        whole >>= 1
    while fraction:  # its binary digits are the exponents of the roots
        root = math.sqrt(root)
        fraction *= 2
        if fraction >= 1:
            result *= root
            fraction -= 1
    return result


def powers(base: float, first: int, count: int) -> np.ndarray:
    """`power` of ``count`` whole exponents from `first` on, the same products for all of them at once."""
    exponents, square, result = np.arange(first, first + count), base, np.ones(count)
    for bit in range(int(first + count).bit_length()):
        np.multiply(result, square, out=result, where=(exponents & (1 << bit)) != 0)
        square *= square
    return result


def _cosine(turns: float) -> float:
    """``cos(pi * turns)`` for `turns` from 0 to 1, by sums and products only, so that it is the same everywhere.

    Taylor's series on [0, pi/4], of which the first term left out is below 1e-19, and the symmetries of cosine. Each
    step of Horner's rule halves the rounding before it at least: the absolute error is below ``4 * 2**-53``.
    """
    if turns > 0.5:
        return -_cosine(1 - turns)
    near = turns <= 0.25
    y = math.pi * (turns if near else 0.5 - turns)  # else sin(pi * (1 / 2 - turns))
    total = 1.0
    for k in range(18 if near else 17, 1, -2):
        total = 1 - total * (y * y) / (k * (k - 1))
    return total if near else total * y


class LearningRateSchedule(Configurable):
    """A learning rate as a function of the number of steps taken; subclasses define ``__call__``.

    An instance is passed as the ``learning_rate`` of an optimizer.

    Examples
    --------
    >>> class Inverse(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 / (1 + step)
    >>> Inverse()(4)
    0.02
    """

    def __call__(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        raise NotImplementedError(f"schedule class {type(self).__name__} has no __call__ method")


class _Decay(LearningRateSchedule):
    """What decays share: their arguments, and the number of decays after some steps."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = None,
    ):
        smallest = sys.float_info.min
        check_number(
            "initial_learning_rate", initial_learning_rate, 0, "a finite number of at least 0", "pass for example 0.1"
        )
        check_number(
            "decay_steps",
            decay_steps,
            smallest,
            "a positive finite number",
            "pass the number of steps between two decays",
        )
        check_number("decay_rate", decay_rate, smallest, "a positive finite number", "pass for example 0.96")
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = check_flag("staircase", staircase)
        self.name = check_name("name", name) or type(self).__name__

    def decays(self, step: int) -> float:
        """Decays after a number of steps, a whole number in a staircase."""
        p = _taken(step) / float(self.decay_steps)
        return math.floor(p) if self.staircase else p

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class ExponentialDecay(_Decay):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``, in float64.

    Parameters
    ----------
    initial_learning_rate : float
        At least 0.
    decay_steps : int
        Steps after which the rate has been multiplied once by `decay_rate`; positive.
    decay_rate : float
        Positive.
    staircase : bool, default False
        Round ``step / decay_steps`` down: the rate stays the same for `decay_steps` steps.
    name : str, default "ExponentialDecay"

    Raises
    ------
    TypeError, ValueError
        An argument is not a number, not finite or out of its range.

    Examples
    --------
    >>> rate = ExponentialDecay(0.1, decay_steps=100, decay_rate=0.25)
    >>> rate(0), rate(50), rate(100)
    (0.1, 0.05, 0.025)
    >>> ExponentialDecay(0.1, decay_steps=100, decay_rate=0.25, staircase=True)(199)
    0.025
    """

    def __call__(self, step: int) -> float:
        return float(self.initial_learning_rate) * power(float(self.decay_rate), self.decays(step))


class InverseTimeDecay(_Decay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``, in float64.

    With ``decay_steps=1`` it is what the argument `decay` of optimizers was in Keras 1 and 2.

    Parameters
    ----------
    initial_learning_rate, decay_steps, decay_rate, staircase, name
        As of `ExponentialDecay`.

    Raises
    ------
    TypeError, ValueError
        An argument is not a number, not finite or out of its range.

    Examples
    --------
    >>> rate = InverseTimeDecay(0.1, decay_steps=100, decay_rate=1.0)
    >>> rate(0), rate(100), rate(300)
    (0.1, 0.05, 0.025)
    """

    def __call__(self, step: int) -> float:
        return float(self.initial_learning_rate) / (1 + float(self.decay_rate) * self.decays(step))


def _taken(step: Any) -> float:
    """The number of steps taken, at least 0; also one that a Variable holds."""
    if isinstance(step, Variable) and not step.shape:
        step = float(step)
    return check_number("step", step, 0, "a number of at least 0", "pass the number of steps taken")


def _rate(argument: str, value: Any) -> float:
    """A learning rate."""
    return check_number(argument, value, 0, "a finite number of at least 0", "pass for example 0.1")


def _step_count(argument: str, value: Any) -> Any:
    """A positive number of steps, as it is."""
    check_number(argument, value, sys.float_info.min, "a positive finite number", "pass a number of steps")
    return value


class PiecewiseConstantDecay(LearningRateSchedule):
    """One rate after the other: ``values[i]`` up to and including step ``boundaries[i]``, at last ``values[-1]``.

    Parameters
    ----------
    boundaries : list of int
        Increasing.
    values : list of float
        One more than boundaries.
    name : str, default "PiecewiseConstant"

    Examples
    --------
    >>> rate = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
    >>> rate(100), rate(101), rate(500)
    (0.1, 0.01, 0.001)
    """

    def __init__(self, boundaries: Any, values: Any, name: str = "PiecewiseConstant"):
        for argument, given in (("boundaries", boundaries), ("values", values)):
            if not isinstance(given, (list, tuple)):
                raise invalid(argument, show(given), "a list of numbers", "pass for example [1000, 2000]", TypeError)
        self.boundaries, self.values = list(boundaries), list(values)
        if len(self.boundaries) != len(self.values) - 1:
            received = f"{len(self.values)} values for {len(self.boundaries)} boundaries"
            raise invalid("values", received, "one more than boundaries", "add the rate after the last boundary")
        for low in self.boundaries:
            check_number("boundaries", low, 0, "numbers of at least 0", "pass numbers of steps")
        if any(low >= high for low, high in itertools.pairwise(self.boundaries)):
            raise invalid("boundaries", show(self.boundaries), "increasing numbers", "sort them, each one once")
        for value in self.values:
            _rate("values", value)
        self.name = check_name("name", name) or "PiecewiseConstant"

    def __call__(self, step: int) -> float:
        passed = sum(_taken(step) > boundary for boundary in self.boundaries)
        return float(self.values[passed])

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """``(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ** power + end_learning_rate``.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        After these the rate is `end_learning_rate`.
    end_learning_rate : float, default 0.0001
    power : float, default 1.0
        Positive; 1 is linear.
    cycle : bool, default False
        Begin anew instead of staying at the end, in the second round over twice as many steps, and so on:
        `decay_steps` is its first multiple of at least `step`.
    name : str, default "PolynomialDecay"

    Examples
    --------
    >>> rate = PolynomialDecay(1.0, decay_steps=100, end_learning_rate=0.0, power=2.0)
    >>> rate(0), rate(50), rate(200)
    (1.0, 0.25, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _step_count("decay_steps", decay_steps)
        self.end_learning_rate = _rate("end_learning_rate", end_learning_rate)
        check_number("power", power, sys.float_info.min, "a positive finite number", "pass for example 1.0")
        self.power, self.cycle = power, check_flag("cycle", cycle)
        self.name = check_name("name", name) or "PolynomialDecay"

    def __call__(self, step: int) -> float:
        done, steps = _taken(step), float(self.decay_steps)
        if self.cycle:
            steps *= max(math.ceil(done / steps), 1)
        left = 1 - min(done, steps) / steps
        return (self.initial_learning_rate - self.end_learning_rate) * power(
            left, float(self.power)
        ) + self.end_learning_rate

    def get_config(self) -> dict[str, Any]:
        names = "initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name"
        return {name: getattr(self, name) for name in names}


class CosineDecay(LearningRateSchedule):
    """From a rate down to `alpha` of it along half a turn of cosine, after a linear way up to it if wanted.

    ``rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha)`` (Loshchilov and Hutter 2017); rate is
    `initial_learning_rate`, or `warmup_target`, to which the first `warmup_steps` steps lead in equal parts.

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
        Not counting `warmup_steps`.
    alpha : float, default 0.0
        The part of the rate that is left at the end, at least 0.
    name : str, default "CosineDecay"
    warmup_target : float, optional
    warmup_steps : int, default 0

    Examples
    --------
    >>> rate = CosineDecay(0.0, decay_steps=100, warmup_target=1.0, warmup_steps=10)
    >>> rate(5), rate(10), rate(60), rate(200)
    (0.5, 1.0, 0.5, 0.0)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.decay_steps = _step_count("decay_steps", decay_steps)
        self.alpha = check_number("alpha", alpha, 0, "a finite number of at least 0", "pass for example 0.1")
        self.warmup_target = None if warmup_target is None else _rate("warmup_target", warmup_target)
        expected, fix = "an integer of at least 0", "pass a number of steps"
        self.warmup_steps = check_integer("warmup_steps", warmup_steps, 0, expected, fix, 2**62)
        self.name = check_name("name", name) or "CosineDecay"

    def __call__(self, step: int) -> float:
        done, start = _taken(step), self.initial_learning_rate
        if self.warmup_target is not None:
            if done < self.warmup_steps:
                return (self.warmup_target - start) * (done / self.warmup_steps) + start
            done, start = done - self.warmup_steps, self.warmup_target
        fall = 0.5 * (1 + _cosine(min(done / float(self.decay_steps), 1.0)))
        return start * ((1 - self.alpha) * fall + self.alpha)

    def get_config(self) -> dict[str, Any]:
        names = "initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps"
        return {name: getattr(self, name) for name in names}


class CosineDecayRestarts(LearningRateSchedule):
    """`CosineDecay` again and again (Loshchilov and Hutter 2017, "SGDR").

    Parameters
    ----------
    initial_learning_rate : float
    first_decay_steps : int
        Steps of the first round.
    t_mul : float, default 2.0
        Each round has so many times the steps of the one before; at least 1.
    m_mul : float, default 1.0
        Each round begins with so many times the rate of the one before; positive.
    alpha : float, default 0.0
        The part of `initial_learning_rate` that is left at the end of a round.
    name : str, default "SGDRDecay"

    Examples
    --------
    >>> rate = CosineDecayRestarts(1.0, first_decay_steps=100, m_mul=0.5)
    >>> rate(0), rate(50), rate(100), rate(200)
    (1.0, 0.5, 0.5, 0.25)
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        self.initial_learning_rate = _rate("initial_learning_rate", initial_learning_rate)
        self.first_decay_steps = _step_count("first_decay_steps", first_decay_steps)
        self.t_mul = check_number("t_mul", t_mul, 1, "a finite number of at least 1", "pass for example 2.0")
        self.m_mul = check_number("m_mul", m_mul, sys.float_info.min, "a positive number", "pass for example 1.0")
        self.alpha = check_number("alpha", alpha, 0, "a finite number of at least 0", "pass for example 0.1")
        self.name = check_name("name", name) or "SGDRDecay"

    def __call__(self, step: int) -> float:
        done, length, rounds = _taken(step) / float(self.first_decay_steps), 1.0, 0
        if self.t_mul == 1:
            rounds = math.floor(done)
            done -= rounds
        while done >= length:
            done, length, rounds = done - length, length * self.t_mul, rounds + 1
        fall = 0.5 * power(self.m_mul, rounds) * (1 + _cosine(done / length))
        return self.initial_learning_rate * ((1 - self.alpha) * fall + self.alpha)

    def get_config(self) -> dict[str, Any]:
        names = "initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name"
        return {name: getattr(self, name) for name in names}


class OneCycle(LearningRateSchedule):
    """Up to a large rate and down to a tiny one, each along half a turn of cosine (Smith and Topin 2019).

    From ``max_learning_rate / div_factor`` at step 0 to `max_learning_rate` at step ``pct_start * total_steps - 1``,
    then to ``max_learning_rate / div_factor / final_div_factor`` at step ``total_steps - 1``, where it stays. The
    arguments after the first are PyTorch's.

    Parameters
    ----------
    max_learning_rate : float
    total_steps : int
        At least 2.
    pct_start : float, default 0.3
        The part of the steps that leads upwards, from 0 to 1.
    div_factor, final_div_factor : float, default 25.0 and 10000.0
    name : str, default "OneCycle"

    Examples
    --------
    >>> rate = OneCycle(1.0, total_steps=11, pct_start=6 / 11, div_factor=4.0)
    >>> rate(0), rate(5), rate(10)
    (0.25, 1.0, 2.5e-05)
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        name: str = "OneCycle",
    ):
        self.max_learning_rate = _rate("max_learning_rate", max_learning_rate)
        expected, fix = "an integer of at least 2", "pass the number of steps of the whole training"
        self.total_steps = check_integer("total_steps", total_steps, 2, expected, fix, 2**62)
        self.pct_start = check_number("pct_start", pct_start, 0, "a number from 0 to 1", "pass for example 0.3", 1)
        smallest, expected, fix = sys.float_info.min, "a positive finite number", "pass for example 25.0"
        self.div_factor = check_number("div_factor", div_factor, smallest, expected, fix)
        self.final_div_factor = check_number("final_div_factor", final_div_factor, smallest, expected, fix)
        self.name = check_name("name", name) or "OneCycle"

    def __call__(self, step: int) -> float:
        last, top = self.total_steps - 1.0, float(self.pct_start * self.total_steps) - 1
        done = min(_taken(step), last)
        first = self.max_learning_rate / self.div_factor
        if done <= top:
            start, end, part = first, self.max_learning_rate, done / top if top else 1.0
        else:
            start, end = self.max_learning_rate, first / self.final_div_factor
            part = (done - top) / (last - top)
        return end + (start - end) / 2 * (1 + _cosine(part))

    def get_config(self) -> dict[str, Any]:
        names = "max_learning_rate", "total_steps", "pct_start", "div_factor", "final_div_factor", "name"
        return {name: getattr(self, name) for name in names}


NAMES = spellings(
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    CosineDecay,
    CosineDecayRestarts,
    OneCycle,
)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """The configuration of a schedule, from which `deserialize` makes an equal one.

    Examples
    --------
    >>> serialize(ExponentialDecay(0.1, 100, 0.5))["class_name"]
    'ExponentialDecay'
    """
    if not isinstance(learning_rate_schedule, LearningRateSchedule):
        received = show(learning_rate_schedule)
        raise invalid("learning_rate_schedule", received, "a LearningRateSchedule", "pass one", TypeError)
    return registry.serialize("learning_rate_schedule", learning_rate_schedule)  # type: ignore[no-any-return]


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> LearningRateSchedule:
    """The schedule of a configuration.

    Parameters
    ----------
    config : dict
        What `serialize` gave.
    custom_objects : dict of str to type, optional
        Further classes by their names.

    Examples
    --------
    >>> deserialize(serialize(ExponentialDecay(0.1, 100, 0.25)))(50)
    0.05
    """
    return _get(registry.deserialize(config, custom_objects, _get))


def _get(identifier: Any) -> LearningRateSchedule:
    return registry.make("schedule", identifier, NAMES, LearningRateSchedule)  # type: ignore[no-any-return]
