"""Runs Keras' test files from their place in the installed wheel, and says which test functions pass."""

import ast
import functools
import importlib.util
import os
import random
import signal
import sys
import types
import unittest
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from finder import sources

import fastnn

SECONDS = 10  # for one case
PASSED, FAILED, LEFT_OUT = "passed", "failed", "left out"  # by Keras itself

TIER_1 = [
    "activations/activations",
    "losses/losses",
    "losses/loss",
    "metrics/f_score_metrics",
    "metrics/metric",
    "metrics/accuracy_metrics",
    "metrics/hinge_metrics",
    "metrics/probabilistic_metrics",
    "metrics/confusion_metrics",
    "metrics/correlation_metrics",
    "metrics/regression_metrics",
    "metrics/iou_metrics",
    "metrics/reduction_metrics",
    "initializers/initializer",
    "initializers/constant_initializers",
    "initializers/random_initializers",
    "regularizers/regularizers",
    "constraints/constraints",
    "optimizers/schedules/learning_rate_schedule",
    "optimizers/lamb",
    "optimizers/loss_scale_optimizer",
    "optimizers/adamw",
    "optimizers/lion",
    "optimizers/optimizer",
    "optimizers/schedule_free_adamw",
    "optimizers/adam",
    "optimizers/adamax",
    "optimizers/nadam",
    "optimizers/sgd",
    "optimizers/ftrl",
    "optimizers/muon",
    "optimizers/adafactor",
    "optimizers/adagrad",
    "optimizers/multi_optimizer",
    "optimizers/optimizer_sparse",
    "optimizers/rmsprop",
    "optimizers/adadelta",
]
TIER_2 = [
    "layers/core/dense",
    "layers/activations/",
    "layers/merging/",
    "layers/regularization/",
    "layers/normalization/batch_normalization",
    "layers/normalization/layer_normalization",
    "models/sequential",
    "models/functional",
    "callbacks/",
]


class TooLong(BaseException):
    """A case took longer than `SECONDS`."""


def files(tier: list[str]) -> list[str]:
    """The test files of a tier, below keras/src, without ``_test.py``; a folder stands for all in it."""
    found = []
    for name in tier:
        inside = sorted((sources() / name).glob("*_test.py")) if name.endswith("/") else [sources() / f"{name}_test.py"]
        found += [path.relative_to(sources()).as_posix().removesuffix("_test.py") for path in inside]
    return found


def functions(file: str) -> list[str]:
    """The test functions of a file, ``Class.test_name``, as they are written, whether it can be imported or not."""
    found: dict[str, None] = {}
    for node in ast.parse((sources() / f"{file}_test.py").read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        start = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        found |= {
            f"{start}{item.name}": None
            for item in inside
            if isinstance(item, ast.FunctionDef) and item.name.startswith("test")
        }
    return list(found)


def load(file: str) -> types.ModuleType:
    """Import a test file under a name of its own."""
    name = "keras_own_" + file.replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, sources() / f"{file}_test.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing that is printed is shown."""
    with open(os.devnull, "w") as nothing:
        out, err = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = nothing
        try:
            yield
        finally:
            sys.stdout, sys.stderr = out, err


@contextmanager
def fresh() -> Iterator[None]:
    """A case starts from the same random numbers and float type whatever ran before it, and ends in time."""

    def stop(*_: Any) -> None:
        raise TooLong(f"longer than {SECONDS} s")

    fastnn.config.set_floatx("float32")
    fastnn.set_random_seed(1337)
    random.seed(1337)
    np.random.seed(1337)
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("always")
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def marked_out(test: Any) -> bool:
    """Whether a mark of pytest says that Keras leaves the test out for this backend."""
    marks = [mark for holder in (test, getattr(test, "__func__", None)) for mark in getattr(holder, "pytestmark", [])]
    return any((mark.name == "skipif" and mark.args[0]) or mark.name == "skip" for mark in marks)


class Result(unittest.TestResult):
    """Keeps the outcome of one case."""

    def __init__(self) -> None:
        super().__init__()
        self.outcome, self.text = PASSED, ""

    def addSkip(self, test: Any, reason: str) -> None:
        if self.outcome == PASSED:
            self.outcome, self.text = LEFT_OUT, reason

    def addError(self, test: Any, err: Any) -> None:
        if isinstance(err[1], pytest.skip.Exception):
            self.addSkip(test, str(err[1]))
        else:
            self.outcome, self.text = FAILED, describe(err[1])

    addFailure = addError

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        if err is not None:
            self.addError(test, err)

    def addUnexpectedSuccess(self, test: Any) -> None:
        self.outcome, self.text = FAILED, "passes, which Keras does not expect"


def describe(error: BaseException | None) -> str:
    """Kind and first line of an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = next((line for line in lines if "Mismatch" in line or "not equal to tolerance" not in line), "")
    return f"{type(error).__name__}: {text}"


def run_case(case: unittest.TestCase) -> tuple[str, str]:
    """Outcome and error of one case."""
    if marked_out(getattr(case, case._testMethodName)) or marked_out(type(case)):
        return LEFT_OUT, "by its mark"
    result = Result()
    try:
        with fresh():
            case.run(result)
    except (TooLong, SystemExit) as error:
        return FAILED, describe(error)
    return result.outcome, result.text


def run_function(function: Any) -> tuple[str, str]:
    """Outcome and error of a test that is no method."""
    return run_case(unittest.FunctionTestCase(function)) if not marked_out(function) else (LEFT_OUT, "by its mark")


def written_as(cls: type, method: str, names: set[str]) -> str | None:
    """The function from which a case came: its own name, or that which parameters were added to."""
    for base in cls.__mro__:
        fitting = [name for name in names if f"{base.__name__}.{method}".startswith(name)]
        if fitting:
            return max(fitting, key=len)
    return None


def run_file(file: str) -> dict[str, tuple[str, str]]:
    """Outcome and error of every test function of a file.

    A function passes if all its cases do that Keras does not leave out, and there is one; a file that cannot be
    imported fails as a whole.
    """
    names = functions(file)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = load(file)
    except Exception as error:
        return {name: (FAILED, f"import: {describe(error)}") for name in names}
    outcomes: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for value in list(vars(module).values()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, type) and issubclass(value, unittest.TestCase):
            for method in unittest.defaultTestLoader.getTestCaseNames(value):
                name = written_as(value, method, set(names))
                assert name is not None, f"{file}: {value.__name__}.{method} comes from no function"
                outcomes[name].append(run_case(value(method)))
        elif isinstance(value, types.FunctionType) and value.__name__ in outcomes:
            outcomes[value.__name__].append(run_function(value))
    return {name: functools.reduce(worse, found, (LEFT_OUT, "no case")) for name, found in outcomes.items()}


def worse(one: tuple[str, str], other: tuple[str, str]) -> tuple[str, str]:
    """Of two outcomes that which decides for the function."""
    order = (LEFT_OUT, PASSED, FAILED)
    return other if order.index(other[0]) > order.index(one[0]) else one
