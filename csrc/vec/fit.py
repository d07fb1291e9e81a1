"""Where the constants of math.inc come from: prints every table with its interval and error.

Each table is the polynomial p(t) = c[0] + c[1] t + ... that makes the largest of
w(t) |g(t) - p(t)| over an interval small (a weighted minimax fit); g is what remains of the
function once its leading terms are taken out, and w turns the error of p into the relative error
of the function (of erf and expm1, say), or for sin and cos into the absolute one.

The fit is Lawson's: least squares on a grid, where every round multiplies the weight of a point
by its error, so that the weights gather where the error is largest (C. L. Lawson, "Contributions
to the theory of linear least maximum approximation", 1961). Coefficients must end up as float32:
the first is rounded, the others are fitted again around it, and so on to the last.
"""

from collections.abc import Callable

import mpmath as mp
import numpy as np

Function = Callable[[mp.mpf], mp.mpf]

mp.mp.dps = 40


def minimax(t: np.ndarray, y: np.ndarray, w: np.ndarray, powers: np.ndarray, rounds: int = 400) -> np.ndarray:
    """Coefficients of `powers` of t with small max(w |y - p(t)|)."""
    basis, share = w[:, None] * t[:, None] ** powers, np.full(t.size, 1 / t.size)
    scale = np.abs(basis).max(axis=0)
    best, least = None, np.inf
    for _ in range(rounds):
        root = np.sqrt(share)
        c = np.linalg.lstsq(root[:, None] * basis / scale, root * w * y, rcond=None)[0] / scale
        error = np.abs(w * y - basis @ c)
        if error.max() < least:
            best, least = c, error.max()
        share = share * error
        share /= share.sum()
    return best


def fit(name: str, g: Function, w: Function, lo: float, hi: float, terms: int, points: int = 500) -> None:
    """Print `terms` float32 coefficients for g over [lo, hi] and the largest weighted error."""
    nodes = (lo + hi) / 2 - (hi - lo) / 2 * np.cos(np.pi * (np.arange(points) + 0.5) / points)
    y, weight = (np.array([float(f(mp.mpf(float(t)))) for t in nodes]) for f in (g, w))
    fixed, rest = [], y
    for k in range(terms):
        fixed.append(np.float32(minimax(nodes, rest, weight, np.arange(k, terms))[0]))
        rest = rest - float(fixed[-1]) * nodes**k
    print(f"{name} on [{lo:.6g}, {hi:.6g}]: largest error 2^{np.log2(np.abs(weight * rest).max()):.1f}")
    for k, c in enumerate(fixed):
        print(f"    c[{k}] = {c:.9g}f")


def split(name: str, value: mp.mpf, bits: int) -> None:
    """Print `value` as the nearest float of `bits` bits and the float32 nearest to the rest."""
    unit = mp.mpf(2) ** (mp.floor(mp.log(value, 2)) + 1 - bits)
    high = unit * mp.nint(value / unit)
    print(f"{name} = {np.float32(high):.9g}f + {np.float32(value - high):.9g}f, {bits} bits first")


def odd(function: Function) -> Function:
    """Give the even function function(a) / a in terms of z = a^2."""
    return lambda z: function(mp.sqrt(z)) / mp.sqrt(z)


def main() -> None:
    """Print the constants in the order of math.inc."""
    split("1 / ln 2", 1 / mp.log(2), 24)
    split("ln 2", mp.log(2), 15)
    bound = float(mp.log(2)) / 2 + 1e-5
    fit(
        "exp: (e^r - 1 - r) / r^2, relative to e^r - 1",
        lambda r: (mp.expm1(r) - r) / r**2,
        lambda r: r**2 / mp.expm1(r),
        -bound,
        bound,
        5,
    )
    tanh, erf, sin = odd(mp.tanh), odd(mp.erf), odd(mp.sin)
    fit(
        "tanh: (tanh(a) / a - 1) / a^2 in z = a^2, relative to tanh",
        lambda z: (tanh(z) - 1) / z,
        lambda z: z / tanh(z),
        0,
        0.65**2,
        5,
    )
    fit(
        "tanh_shrink: (1 - tanh(a) / a) / a^2 in z = a^2, relative to a - tanh(a)",
        lambda z: (1 - tanh(z)) / z,
        lambda z: z / (1 - tanh(z)),
        0,
        0.65**2,
        6,
    )
    fit("erf: erf(a) / a - 1 in z = a^2, relative to erf", lambda z: erf(z) - 1, lambda z: 1 / erf(z), 0, 0.9**2, 6)
    fit(
        "erf: -log(erfc(a)), in terms of erf",
        lambda a: -mp.log(mp.erfc(a)),
        lambda a: mp.erfc(a) / mp.erf(a),
        0.9,
        4,
        7,
    )
    split("ln 2", mp.log(2), 24)
    fit(
        "log: (log(1 + f) - f) / f^2, relative to log(1 + f)",
        lambda f: (mp.log1p(f) - f) / f**2,
        lambda f: f**2 / mp.log1p(f),
        -1 / 3,
        1 / 3,
        9,
    )
    c, atanh = 2 / mp.log(2), odd(mp.atanh)
    split("c = 2 / ln 2", c, 24)
    split("c / 3", c / 3, 24)
    fit(
        "log2: ((log2(1 + f) / s - c) / z - c / 3) / z with s = f / (2 + f) in z = s^2, relative to log2(1 + f)",
        lambda z: c * ((atanh(z) - 1) / z - mp.mpf(1) / 3) / z,
        lambda z: z**2 / (c * atanh(z)),
        0,
        0.2**2,
        4,
    )
    fit(
        "exp2: (2^r - 1) / r, relative to 2^r",
        lambda r: mp.expm1(r * mp.log(2)) / r,
        lambda r: r / mp.mpf(2) ** r,
        -0.5001,
        0.5001,
        6,
    )
    split("2 / pi", 2 / mp.pi, 24)
    split("pi / 2", mp.pi / 2, 23)
    fit(
        "sin: (sin(r) / r - 1) / r^2 in z = r^2, absolute",
        lambda z: (sin(z) - 1) / z,
        lambda z: z * mp.sqrt(z),
        0,
        0.83**2,
        3,
    )
    fit(
        "cos: (cos(r) - 1 + r^2 / 2) / r^4 in z = r^2, absolute",
        lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2,
        lambda z: z**2,
        0,
        0.83**2,
        3,
    )


if __name__ == "__main__":
    main()
