"""Learning rates that follow a formula of the optimizer's step."""

import math
import sys
from typing import Any

import numpy as np

from .errors import check_flag, check_name, check_number
from .registry import Configurable


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
        taken = check_number("step", step, 0, "a number of at least 0", "pass the number of steps taken")
        p = taken / float(self.decay_steps)
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
