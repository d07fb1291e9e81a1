"""First values of weights: Keras' initializers over the counter-based random numbers of fastnn.

Element i of a weight, counted in C order, depends on the initializer's key and on i alone. Only
``+ - * / sqrt`` and exact operations lead from the random bits to a weight (the logarithm too is made
of them), so a seed gives the same bits with every maths library.
"""

import math
import numbers
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import config
from .errors import check_array, invalid, is_one_of, show, unknown
from .ops.normal import normal_quantile
from .ops.philox import random_bits
from .registry import Configurable, make, spellings

Shape = Sequence[int]
Key = tuple[int, int]  # seed, stream

MAX_AXES = 64  # of a NumPy array
BLOCK = 2**16  # elements made at a time: temporaries stay in cache, and row r of the bits is block r

# Standard deviation of the standard normal distribution truncated to [-2, 2].
TRUNCATED_STDDEV = 0.87962566103423978
# P(0 < Z < 2) of a standard normal Z: the centred uniforms of a truncated normal end here.
HALF_MASS = 0.47724986805182079

# ---- distributions: arrays of float64 made of + - * / sqrt ----------------------------------------


def _uniform(key: Key, row: int, width: int) -> np.ndarray:
    """Multiples of 2**-24 in [0, 1): the top 24 bits, which float32 holds exactly."""
    return (random_bits(1, width, *key, iteration=0, first_row=row)[0] >> np.uint32(8)) * 2.0**-24


def _centred(key: Key, row: int, width: int) -> np.ndarray:
    """Odd multiples of 2**-53 in (-1/2, 1/2): 52 bits and a last bit that is always set.

    The set bit keeps 0 and 1 out of reach of p = 1/2 + q, and makes the values symmetric about 0.
    """
    high, low = (random_bits(1, width, *key, iteration=word, first_row=row)[0] for word in (0, 1))
    k = high.astype(np.uint64) << np.uint64(20) | low >> np.uint32(12)
    return ((2 * k + 1).astype(np.int64) - 2**52) * 2.0**-53


def _normal(key: Key, row: int, width: int) -> np.ndarray:
    return normal_quantile(_centred(key, row, width))


def _truncated_normal(key: Key, row: int, width: int) -> np.ndarray:
    """The normal distribution given |z| < 2, by the quantile of uniforms between its ends."""
    return normal_quantile(2 * HALF_MASS * _centred(key, row, width))


def _draw(
    distribution: Callable[[Key, int, int], np.ndarray],
    shape: tuple[int, ...],
    dtype: np.dtype,
    key: Key,
    shift: float,
    factor: float,
) -> np.ndarray:
    """``shift + factor * values``, computed in float64 and rounded once."""
    out = np.empty(math.prod(shape), dtype)
    with np.errstate(over="ignore"):
        for row, start in enumerate(range(0, out.size, BLOCK)):
            block = out[start : start + BLOCK]
            block[:] = shift + factor * distribution(key, row, block.size)
    return finite(out).reshape(shape)


# ---- arguments ------------------------------------------------------------------------------------


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _number(argument: str, value: Any) -> float:
    """A finite real number as a float."""
    fix = f"pass {argument} as a float"
    if not _is_number(value):
        raise invalid(argument, show(value), "a finite real number", fix, TypeError)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise invalid(argument, value, "a finite real number", fix)
    return number


def _index(value: object) -> int | None:
    """The int that `value` is, or None; a bool is none."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def check_shape(shape: Any) -> tuple[int, ...]:
    expected, fix = "a sequence of integers >= 0", "pass a tuple such as (784, 10), or () for a scalar"
    if not isinstance(shape, (tuple, list, range)) and not (isinstance(shape, np.ndarray) and shape.ndim == 1):
        raise invalid("shape", show(shape), expected, fix, TypeError)
    given = tuple(shape)
    dims = tuple(size for size in map(_index, given) if size is not None)
    if len(dims) < len(given):
        raise invalid("shape", given, expected, fix, TypeError)
    if any(size < 0 for size in dims):
        raise invalid("shape", given, expected, fix)
    if math.prod(max(size, 1) for size in dims) >= 2**60:
        raise invalid("shape", given, "fewer than 2**60 elements", "use smaller dimensions")
    if len(dims) > MAX_AXES:
        raise invalid("shape", f"{len(dims)} axes", f"at most {MAX_AXES}, as in NumPy", "use fewer of them")
    return dims


def check_dtype(dtype: Any) -> np.dtype:
    expected, fix = "'float32' or 'float64'", "leave dtype out for float32"
    try:
        checked = np.dtype(np.float32 if dtype is None else dtype)
    except (TypeError, ValueError):
        raise invalid("dtype", show(dtype), expected, fix, TypeError) from None
    if checked not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise invalid("dtype", str(checked), expected, fix)
    return checked


def finite(values: np.ndarray) -> np.ndarray:
    """The values of a weight, unless their dtype is too small for them."""
    if not np.isfinite(values).all():
        raise invalid("values", "infinity or NaN", f"finite {values.dtype} values", "use smaller numbers")
    return values


def compute_fans(shape: Shape) -> tuple[int, int]:
    r"""Return the numbers of input and output units that one weight of this shape connects.

    ======================  ======================  ==================
    shape                   fan_in                  fan_out
    ======================  ======================  ==================
    ()                      1                       1
    (n,)                    n                       n
    (i, o)                  i                       o
    (\*window, i, o)         prod(window) * i        prod(window) * o
    ======================  ======================  ==================

    Examples
    --------
    >>> compute_fans((3, 3, 16, 32))
    (144, 288)
    """
    dims = check_shape(shape)
    if len(dims) < 2:
        return math.prod(dims), math.prod(dims)
    window = math.prod(dims[:-2])
    return window * dims[-2], window * dims[-1]


# ---- the initializers -----------------------------------------------------------------------------


class Initializer(Configurable):
    """Base class: an object called with a shape that returns the first values of a weight.

    A subclass defines ``__call__`` and, to be saved, ``get_config``.
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        """Return the values.

        Parameters
        ----------
        shape : sequence of int
        dtype : 'float32' or 'float64', default float32

        Raises
        ------
        TypeError, ValueError
            For a shape that is not one, and for any other dtype.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define __call__(shape, dtype=None)")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, ready for JSON."""
        return {}


class Constant(Initializer):
    """All elements equal to `value`.

    Parameters
    ----------
    value : float or array_like, default 0.0
        A number, or numbers that broadcast to the shape asked for.

    Examples
    --------
    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    def __init__(self, value: Any = 0.0):
        array = check_array("value", value)
        if array.dtype.kind == "b":
            raise invalid("value", show(value), "a number or an array of numbers", "pass a float", TypeError)
        self.value = value

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        try:
            values = np.broadcast_to(check_array("value", self.value, checked), dims)
        except ValueError:
            raise invalid(
                "value",
                self.value,
                f"a number or an array that broadcasts to the shape {dims}",
                "pass an array of the weight's shape",
            ) from None
        return finite(values.copy())

    def get_config(self) -> dict[str, Any]:
        return {"value": np.asarray(self.value).tolist()}


class Zeros(Initializer):
    """All elements 0.

    Examples
    --------
    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        return np.zeros(check_shape(shape), check_dtype(dtype))


class Ones(Initializer):
    """All elements 1.

    Examples
    --------
    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        return np.ones(check_shape(shape), check_dtype(dtype))


class _Random(Initializer):
    """An initializer with a seed.

    With an int the key is (seed, stream 0). With None it is the seed in force and a stream of its own,
    both taken now, so that instances differ. One instance always gives one shape the same values.
    """

    def __init__(self, seed: int | None = None):
        self.seed = None if seed is None else _index(seed)
        if seed is None:
            self._key = config.seed(), config.next_stream()
            return
        expected, fix = "an integer in [0, 2**64) or None", "pass an int such as seed=1"
        if self.seed is None:
            raise invalid("seed", show(seed), expected, fix, TypeError)
        if not 0 <= self.seed < 2**64:
            raise invalid("seed", seed, expected, fix)
        self._key = self.seed, 0

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class RandomUniform(_Random):
    """Uniform values: ``minval + u * (maxval - minval)``, u one of the 2**24 multiples of 2**-24 in [0, 1).

    Parameters
    ----------
    minval, maxval : float, default -0.05 and 0.05
        The values lie in [minval, maxval), as rounded to the dtype.
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.

    Raises
    ------
    ValueError
        When minval > maxval.

    Examples
    --------
    >>> values = RandomUniform(0.0, 1.0, seed=1)((1000,))
    >>> bool((values >= 0).all() and (values < 1).all())
    True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None):
        self.minval, self.maxval = _number("minval", minval), _number("maxval", maxval)
        if self.minval > self.maxval:
            raise invalid("minval", minval, f"at most maxval = {maxval!r}", "exchange minval and maxval")
        if math.isinf(self.maxval - self.minval):
            raise invalid("maxval", maxval, "a finite maxval - minval", "pass bounds closer together")
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        values = _draw(_uniform, dims, checked, self._key, self.minval, self.maxval - self.minval)
        # Rounding may reach maxval; the interval is open there.
        last = np.nextafter(checked.type(self.maxval), checked.type(self.minval))
        return np.minimum(values, last, out=values)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class RandomNormal(_Random):
    """Normal values: ``mean + stddev * z``, z the `normal_quantile` of a uniform value of 53 bits.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float, default 0.05
        At least 0.
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.

    Raises
    ------
    ValueError
        When stddev < 0.

    Examples
    --------
    >>> values = RandomNormal(stddev=1.0, seed=1)((10000,))
    >>> bool(abs(values.mean()) < 0.06 and abs(values.std() - 1) < 0.05)
    True
    """

    _distribution = staticmethod(_normal)

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None):
        self.mean, self.stddev = _number("mean", mean), _number("stddev", stddev)
        if self.stddev < 0:
            raise invalid("stddev", stddev, "a number >= 0", "pass the standard deviation, not its negative")
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        return _draw(self._distribution, dims, checked, self._key, self.mean, self.stddev)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class TruncatedNormal(RandomNormal):
    """Normal values given that they lie within two standard deviations of the mean.

    The uniform values are mapped to the probabilities between those ends and inverted: one draw per
    value, and exactly the distribution that drawing again would give. `stddev` is the one before
    truncation; after it, it is 0.8796 of that.

    Parameters
    ----------
    mean : float, default 0.0
    stddev : float, default 0.05
        At least 0.
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.

    Raises
    ------
    ValueError
        When stddev < 0.

    Examples
    --------
    >>> bool((abs(TruncatedNormal(stddev=1.0, seed=1)((10000,))) <= 2).all())
    True
    """

    _distribution = staticmethod(_truncated_normal)


class VarianceScaling(_Random):
    """Values of mean 0 and variance ``scale / n``, n from the numbers of units that the weight connects.

    Parameters
    ----------
    scale : float, default 1.0
        Greater than 0.
    mode : {'fan_in', 'fan_out', 'fan_avg'}, default 'fan_in'
        n: the inputs, the outputs, or the mean of both (see `compute_fans`), at least 1.
    distribution : {'truncated_normal', 'untruncated_normal', 'uniform'}, default 'truncated_normal'
        'truncated_normal' (also 'normal') divides the standard deviation by 0.8796, which truncation
        to two standard deviations multiplies it by; 'uniform' lies in [-limit, limit) with
        ``limit = sqrt(3 * scale / n)``.
    seed : int, optional
        In [0, 2**64). By default a stream of its own under the seed in force.

    Raises
    ------
    ValueError
        For a scale that is not positive, and for any other mode or distribution.

    Examples
    --------
    >>> values = VarianceScaling(scale=2.0, mode="fan_out", distribution="uniform", seed=1)((100, 6))
    >>> bool((abs(values) <= 1).all())
    True
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ):
        self.scale = _number("scale", scale)
        if self.scale <= 0:
            raise invalid("scale", scale, "a number > 0", "pass a positive scale, or use Zeros()")
        if not is_one_of(mode, ("fan_in", "fan_out", "fan_avg")):
            raise unknown("mode", mode, ["fan_in", "fan_out", "fan_avg"])
        name = distribution.lower() if isinstance(distribution, str) else distribution
        name = "truncated_normal" if is_one_of(name, ("normal",)) else name
        if not is_one_of(name, ("truncated_normal", "untruncated_normal", "uniform")):
            raise unknown("distribution", distribution, ["truncated_normal", "untruncated_normal", "uniform"])
        self.mode, self.distribution = mode, name
        super().__init__(seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> np.ndarray:
        dims, checked = check_shape(shape), check_dtype(dtype)
        fan_in, fan_out = compute_fans(dims)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _draw(_uniform, dims, checked, self._key, -limit, 2 * limit)
        if self.distribution == "untruncated_normal":
            return _draw(_normal, dims, checked, self._key, 0.0, math.sqrt(variance))
        stddev = math.sqrt(variance) / TRUNCATED_STDDEV
        return _draw(_truncated_normal, dims, checked, self._key, 0.0, stddev)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
        }


class _Fixed(VarianceScaling):
    """`VarianceScaling` with all but the seed given by the class."""

    _settings: tuple[float, str, str]

    def __init__(self, seed: int | None = None):
        super().__init__(*self._settings, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Fixed):
    """Uniform in [-limit, limit), ``limit = sqrt(6 / (fan_in + fan_out))``.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).

    Examples
    --------
    >>> bool((abs(GlorotUniform(seed=1)((4, 2))) <= 1).all())
    True
    """

    _settings = 1.0, "fan_avg", "uniform"


class GlorotNormal(_Fixed):
    """Truncated normal of standard deviation ``sqrt(2 / (fan_in + fan_out))``.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).

    Examples
    --------
    >>> GlorotNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _settings = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_Fixed):
    """Uniform in [-limit, limit), ``limit = sqrt(6 / fan_in)``: for ReLU.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).

    Examples
    --------
    >>> bool((abs(HeUniform(seed=1)((6, 2))) <= 1).all())
    True
    """

    _settings = 2.0, "fan_in", "uniform"


class HeNormal(_Fixed):
    """Truncated normal of standard deviation ``sqrt(2 / fan_in)``: for ReLU.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers" (2015).

    Examples
    --------
    >>> HeNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _settings = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_Fixed):
    """Uniform in [-limit, limit), ``limit = sqrt(3 / fan_in)``.

    LeCun, Bottou, Orr and Müller, "Efficient BackProp" (1998).

    Examples
    --------
    >>> bool((abs(LecunUniform(seed=1)((3, 2))) <= 1).all())
    True
    """

    _settings = 1.0, "fan_in", "uniform"


class LecunNormal(_Fixed):
    """Truncated normal of standard deviation ``sqrt(1 / fan_in)``: for SELU.

    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks" (2017).

    Examples
    --------
    >>> LecunNormal(seed=1)((4, 2)).shape
    (4, 2)
    """

    _settings = 1.0, "fan_in", "truncated_normal"


# ---- names ----------------------------------------------------------------------------------------

zeros, ones, constant = Zeros, Ones, Constant
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal

# Every class above that can be made without further arguments.
NAMES = spellings(
    *(
        value
        for value in list(globals().values())
        if isinstance(value, type) and issubclass(value, Initializer) and not value.__name__.startswith(("_", "Init"))
    ),
    zero=Zeros,
    one=Ones,
    normal=RandomNormal,
    uniform=RandomUniform,
)


def get(identifier: Any) -> Callable[..., np.ndarray] | None:
    """Return the initializer that `identifier` stands for.

    Parameters
    ----------
    identifier : str, class, callable, dict or None
        A name ('glorot_uniform', 'GlorotUniform'); a class, which is called; an initializer or any
        function of (shape, dtype), which is returned as it is; a config
        ``{"class_name": ..., "config": {...}}``; or None, for which None is returned.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest valid ones.
    TypeError
        For anything else.

    Examples
    --------
    >>> get("zeros")((2,), dtype="float64")
    array([0., 0.])
    >>> get({"class_name": "Constant", "config": {"value": 3.0}}).value
    3.0
    """
    if identifier is None:
        return None
    return make("initializer", identifier, NAMES, Initializer, wrap=lambda function: function)
