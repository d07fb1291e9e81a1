"""The inverse of the normal distribution function, made of + - * / sqrt and exact operations alone.

So no maths library has a say in a number: the first weights and the noise of layers come from here.
"""

import math
from collections.abc import Sequence

import numpy as np

LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fee00000p-1"), float.fromhex("0x1.a39ef35793c76p-33")

# Numerators and denominators of PPND16 (Wichura 1988), constant term first.
CENTRE = (
    (
        3.3871328727963666080e0,
        1.3314166789178437745e2,
        1.9715909503065514427e3,
        1.3731693765509461125e4,
        4.5921953931549871457e4,
        6.7265770927008700853e4,
        3.3430575583588128105e4,
        2.5090809287301226727e3,
    ),
    (
        1.0,
        4.2313330701600911252e1,
        6.8718700749205790830e2,
        5.3941960214247511077e3,
        2.1213794301586595867e4,
        3.9307895800092710610e4,
        2.8729085735721942674e4,
        5.2264952788528545610e3,
    ),
)
TAIL = (
    (
        1.42343711074968357734e0,
        4.63033784615654529590e0,
        5.76949722146069140550e0,
        3.64784832476320460504e0,
        1.27045825245236838258e0,
        2.41780725177450611770e-1,
        2.27238449892691845833e-2,
        7.74545014278341407640e-4,
    ),
    (
        1.0,
        2.05319162663775882187e0,
        1.67638483018380384940e0,
        6.89767334985100004550e-1,
        1.48103976427480074590e-1,
        1.51986665636164571966e-2,
        5.47593808499534494600e-4,
        1.05075007164441684324e-9,
    ),
)
FAR_TAIL = (
    (
        6.65790464350110377720e0,
        5.46378491116411436990e0,
        1.78482653991729133580e0,
        2.96560571828504891230e-1,
        2.65321895265761230930e-2,
        1.24266094738807843860e-3,
        2.71155556874348757815e-5,
        2.01033439929228813265e-7,
    ),
    (
        1.0,
        5.99832206555887937690e-1,
        1.36929880922735805310e-1,
        1.48753612908506148525e-2,
        7.86869131145613259100e-4,
        1.84631831751005468180e-5,
        1.42151175831644588870e-7,
        2.04426310338993978564e-15,
    ),
)


def _polynomial(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    """Horner's rule, constant term first."""
    total = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total *= x
        total += coefficient
    return total


def _ratio(terms: tuple[Sequence[float], Sequence[float]], x: np.ndarray) -> np.ndarray:
    return _polynomial(terms[0], x) / _polynomial(terms[1], x)


def _log(x: np.ndarray) -> np.ndarray:
    """Natural logarithm of float64 in (0, 1/2], of relative error below 2**-52.

    With x = m * 2**e and m in [sqrt(1/2), sqrt(2)): log(x) = e log(2) + 2 atanh(s), s = (m-1) / (m+1).
    The series of atanh(s) / s ends at s**22 / 23; |s| < 0.172 leaves a remainder below 2**-63.
    """
    m, e = np.frexp(x)
    low = m < math.sqrt(0.5)
    m, e = np.where(low, 2 * m, m), e - low
    s = (m - 1) / (m + 1)
    series = _polynomial([2 / k for k in range(1, 25, 2)], s * s)
    return e * LN2_HIGH + (e * LN2_LOW + s * series)


def normal_quantile(q: np.ndarray) -> np.ndarray:
    """Inverse of the standard normal distribution function at probability 1/2 + q.

    Parameters
    ----------
    q : float64 array
        Centred probabilities, -1/2 < q < 1/2. Centring keeps both tails equally exact.

    Returns
    -------
    float64 array of q's shape
        z with P(Z < z) = 1/2 + q, of relative error below 1e-15.

    References
    ----------
    Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Applied Statistics 37
    (1988) 477-484, routine PPND16.

    Examples
    --------
    >>> normal_quantile(np.array([-0.25, 0.0, 0.25])).round(12).tolist()
    [-0.674489750196, 0.0, 0.674489750196]
    """
    size = np.abs(q)
    # Outside the centre this value is replaced; the maximum keeps its argument in range there.
    z = q * _ratio(CENTRE, np.maximum(0.180625 - q * q, 0))
    outside = size > 0.425
    t = np.sqrt(-_log(0.5 - size[outside]))
    tail = _ratio(TAIL, t - 1.6)
    far = t > 5
    tail[far] = _ratio(FAR_TAIL, t[far] - 5)
    z[outside] = np.copysign(tail, q[outside])
    return z
