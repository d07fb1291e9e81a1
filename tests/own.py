"""What the tests of users' own code share: the examples, float64, and a bound on roundings."""

import importlib.util
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import config

FOUR_PARTS = re.compile(r".+: received .+; expected .+; to fix it, .+\.", re.S)


def example(name):
    """The module of an example."""
    path = Path(fastnn.__file__).parents[1] / "examples" / f"{name}.py"
    if not path.exists():
        pytest.skip("installed without the examples")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def float64():
    """What is made inside computes in float64, with NumPy."""
    config.set_floatx("float64")
    try:
        yield
    finally:
        config.set_floatx("float32")


def in_float64(function, *args):
    with float64():
        return function(*args)


def flat(arrays):
    """All numbers of several arrays."""
    return np.concatenate([np.ravel(a).astype(np.float64) for a in arrays])


def assert_equal_in_float64(ours, exact):
    """Equal but for some thousand roundings of float64."""
    ours, exact = flat(ours), flat(exact)
    assert np.linalg.norm(ours - exact) <= 4096 * np.finfo(np.float64).eps * np.linalg.norm(exact)


def assert_rounds_like(ours, twin, exact, multiple=4):
    """Two float32 computations of one thing are about as far from the one in float64.

    They round about as often, so the distance of the twin shows what rounding does here; the multiple allows
    for another order of operations. A wrong formula is off by many thousand times as much.
    """
    ours, twin, exact = flat(ours), flat(twin), flat(exact)
    allowed = multiple * np.linalg.norm(twin - exact) + np.finfo(np.float32).eps * np.linalg.norm(exact)
    assert np.linalg.norm(exact) > 0 and np.linalg.norm(ours - exact) <= allowed
