"""Line search for the strong Wolfe conditions, and sums in a fixed order.

Nothing here knows models, gradients or variables: a line search sees a function of one number.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of Nocedal and Wright (2006), section 3.1, for quasi-Newton
GROWTH = 1.1, 4.0  # how far behind the last step the next one is, in its distances from the one before (see `beyond`)
FEW = 32  # products that are added one by one
SHRINKS = 0.66  # part of an interval that may be left after two trials in it, before the next one is in its middle


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """The sum of the products of two vectors in float64, in an order that only their length decides.

    The second half of the products is added to the first, element by element, until a few are left, which are added one
    by one. BLAS would share the sum out by threads and by instruction set; this has the same bits everywhere. A product
    meets no more than ``log2(n / FEW) + FEW`` roundings of additions (Higham 2002, section 4.2).

    Examples
    --------
    >>> dot(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    32.0
    """
    terms = np.multiply(a, b, dtype=np.float64)
    n = len(terms)
    while n > FEW:
        half = n // 2
        terms[:half] += terms[n - half : n]  # the middle one of an odd number waits for the next round
        n -= half
    total = 0.0
    for term in terms[:n].tolist():
        total += term
    return total


@dataclass(frozen=True)
class Trial:
    """A point on the line.

    Attributes
    ----------
    step : float
    value, slope : float
        Of the function there; a value of infinity says that it is not finite.
    found : object
        What the function found besides.
    """

    step: float
    value: float
    slope: float
    found: Any = None


@dataclass(frozen=True)
class Wolfe:
    """The conditions for a step from a point where the slope is negative.

    A step has to lower the value by at least ``-c1 * step * slope``, and the slope at its end must not be steeper than
    ``c2`` times the first one, in both directions. Where values differ by no more than they are rounded, slopes say
    more than they do: there the first condition is that of Hager and Zhang (2005), section 2,
    ``slope <= (2 c1 - 1) * first slope``, which is the same for a parabola.

    Parameters
    ----------
    start : Trial
    noise : float, default 0
        Largest difference of two values that may be due to rounding.
    """

    start: Trial
    noise: float = 0.0

    def lowers(self, trial: Trial) -> bool:
        """Whether the value is low enough."""
        first = self.start
        if abs(trial.value - first.value) < self.noise:
            return trial.slope <= (2 * SUFFICIENT_DECREASE - 1) * first.slope
        return trial.value <= first.value + SUFFICIENT_DECREASE * trial.step * first.slope

    def flattens(self, trial: Trial) -> bool:
        """Whether the slope is flat enough."""
        return abs(trial.slope) <= -CURVATURE * self.start.slope

    def rises(self, trial: Trial, other: Trial) -> bool:
        """Whether the value is no lower than at another point, as far as can be said."""
        return trial.value >= other.value + self.noise

    def minimum(self, a: Trial, b: Trial) -> float | None:
        """Where the function may have its minimum, by values and slopes at two points, or by slopes alone."""
        if abs(a.value - b.value) > self.noise:
            return cubic_minimum(a, b)
        rise = (b.slope - a.slope) / (b.step - a.step)
        return b.step - b.slope / rise if rise > 0 else None


def search(
    function: Callable[[float], Trial], start: Trial, step: float, noise: float = 0.0, max_eval: int = 25
) -> tuple[Trial, bool]:
    """A step that fulfils the strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5 and 3.6).

    Parameters
    ----------
    function : callable
        ``function(step)`` gives a `Trial`.
    start : Trial
        Step 0, with a negative slope.
    step : float
        The first one to try.
    noise : float
        See `Wolfe`.
    max_eval : int
        Calls of the function.

    Returns
    -------
    Trial, bool
        The step, and whether it fulfils the conditions. If not, it is the best of those tried that lower the value
        enough, or `start`.

    Examples
    --------
    >>> def parabola(t):
    ...     return Trial(t, (t - 3.0) ** 2, 2 * (t - 3.0))
    >>> found, fulfils = search(parabola, parabola(0.0), 1.0)
    >>> found.step, fulfils
    (1.0, True)
    """
    wolfe, before = Wolfe(start, noise), start
    for calls in range(1, max_eval + 1):
        trial = function(step)
        if not wolfe.lowers(trial) or (before is not start and wolfe.rises(trial, before)):
            return zoom(function, wolfe, before, trial, max_eval - calls)
        if wolfe.flattens(trial):
            return trial, True
        if trial.slope >= 0:
            return zoom(function, wolfe, trial, before, max_eval - calls)
        step, before = beyond(wolfe, before, trial), trial
    return before, False


def zoom(
    function: Callable[[float], Trial], wolfe: Wolfe, low: Trial, high: Trial, max_eval: int
) -> tuple[Trial, bool]:
    """A step between two others that fulfils the conditions.

    `low` has the lowest value of all that lower it enough, and its slope points to `high`.
    """
    widths = math.inf, math.inf  # of the interval before the last two trials
    for _ in range(max_eval):
        width = high.step - low.step
        step = between(wolfe, low, high) if abs(width) <= SHRINKS * widths[0] else low.step + width / 2
        widths = widths[1], abs(width)
        if step in (low.step, high.step):  # no number is left between them
            break
        trial = function(step)
        if not wolfe.lowers(trial) or wolfe.rises(trial, low):
            high = trial
            continue
        if wolfe.flattens(trial):
            return trial, True
        if trial.slope * (high.step - low.step) >= 0:
            high = low
        low = trial
    return low, False


def beyond(wolfe: Wolfe, before: Trial, last: Trial) -> float:
    """A step behind the last one: where there may be a minimum, but neither very near nor very far.

    The limits are those of Moré and Thuente (1994), section 4.
    """
    distance = last.step - before.step
    least, most = (last.step + factor * distance for factor in GROWTH)
    found = wolfe.minimum(before, last)
    return most if found is None or not last.step < found else min(max(found, least), most)


def between(wolfe: Wolfe, low: Trial, high: Trial) -> float:
    """Where between two steps there may be a minimum; the middle if that cannot be said."""
    found = wolfe.minimum(low, high)
    inside = found is not None and min(low.step, high.step) < found < max(low.step, high.step)
    return found if found is not None and inside else low.step + (high.step - low.step) / 2


def cubic_minimum(a: Trial, b: Trial) -> float | None:
    """Where the cubic of values and slopes at two points has its minimum (Nocedal and Wright 2006, equation 3.59)."""
    if not (math.isfinite(a.value) and math.isfinite(b.value) and math.isfinite(a.slope) and math.isfinite(b.slope)):
        return None
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    square = d1 * d1 - a.slope * b.slope
    if not 0 <= square < math.inf:
        return None
    d2 = math.copysign(math.sqrt(square), b.step - a.step)
    divisor = b.slope - a.slope + 2 * d2
    found = b.step - (b.step - a.step) * (b.slope + d2 - d1) / divisor if divisor else math.nan
    return found if math.isfinite(found) else None
