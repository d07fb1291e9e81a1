"""The examples in the documentation of every module are true."""

import doctest
import importlib
import pkgutil

import pytest

import fastnn

ELSEWHERE = "fastnn._native", "fastnn.compat.keras"  # no Python; acts on the process, run by test_compat.py
FOUND = [m.name for m in pkgutil.walk_packages(fastnn.__path__, "fastnn.")]
MODULES = ["fastnn", *(name for name in FOUND if name not in ELSEWHERE)]
NEEDS_MATPLOTLIB = ("fastnn.plotting",)


@pytest.fixture(autouse=True)
def settings():
    """Examples may seed; they leave the number of threads as it was."""
    threads, floatx = fastnn.get_num_threads(), fastnn.config.floatx()
    yield
    assert fastnn.get_num_threads() == threads and fastnn.config.floatx() == floatx


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name.startswith(NEEDS_MATPLOTLIB):
        pytest.importorskip("matplotlib").use("Agg")
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    found = [e for name in MODULES for e in doctest.DocTestFinder().find(importlib.import_module(name)) if e.examples]
    assert len(found) > 100
