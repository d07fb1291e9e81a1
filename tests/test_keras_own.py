"""Keras' own tests on fastnn: what is not listed passes, what is listed fails; see tests/peers/keras/README.md."""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "peers" / "keras" / "run.py"
PINNED = "3.15.1"  # as in pyproject.toml
TIER_1 = 583  # functions that pass; only grows


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """What a run in a process of its own found."""
    pytest.importorskip("absl.testing.parameterized")
    try:
        installed = version("keras")
    except PackageNotFoundError:
        installed = "none"
    if installed != PINNED:
        pytest.skip(f"the tests are those of keras=={PINNED}; installed: {installed}")
    path = tmp_path_factory.mktemp("keras") / "outcome.json"
    done = subprocess.run([sys.executable, RUN, "--json", path], capture_output=True, text=True, timeout=300)
    assert path.exists(), done.stderr
    return json.loads(path.read_text())


def test_what_is_not_listed_passes(outcome):
    assert outcome["unlisted"] == []


def test_what_is_listed_fails(outcome):
    assert outcome["listed_but_not_failing"] == []
    assert outcome["listed_but_unknown"] == []


def test_all_functions_are_counted(outcome):
    assert outcome["functions"]["tier 1"] == 807


def test_the_number_that_passes_only_grows(outcome):
    assert outcome["passed"]["tier 1"] >= TIER_1
