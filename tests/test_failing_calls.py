"""A save that is killed, or fails, at any of its system calls leaves the old model or the new one."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    compiler = shutil.which("cc")
    if not compiler or sys.platform != "linux":
        pytest.skip("needs a C compiler and Linux")
    folder = tmp_path_factory.mktemp("failing")
    library, models = folder / "failing_calls.so", folder / "models"
    models.mkdir()
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", HERE / "failing_calls.c", "-o", library, "-ldl"], check=True)
    command = [sys.executable, HERE / "failing_saves.py", library, models]
    environment = {**os.environ, "LD_PRELOAD": str(library), "FASTNN_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_killed_at_every_call(results):
    killed = [r for r in results if r["signal"]]
    assert len(killed) >= 8 and {r["signal"] for r in killed} == {signal.SIGKILL}
    assert [r["at"] for r in killed] == list(range(len(killed)))
    holds = [r["holds"] for r in killed]
    assert set(holds) == {"old", "new"} and holds == sorted(holds, reverse=True)  # first the old one, then the new one


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_an_error_at_every_call(number, results):
    failed = [r for r in results if r["error"] == number]
    told = [r for r in failed if r["exit"] == 2 + number]
    assert len(told) >= 7 and {r["exit"] for r in failed} <= {1, 2 + number}
    assert {r["holds"] for r in told} == {"old", "new"}  # the latter where the folder could not be brought to the disk
    for result in failed:
        assert result["exit"] != 1 or result["holds"] == "new"
        assert result["loads"] == {"old": 1.0, "new": 2.0}[result["holds"]]


def test_files_beside_it_are_removed_but_by_who_was_killed(results):
    for result in results:
        left = [name for name in result["left"] if not name.startswith(".model.safetensors.")]
        assert left == [] and len(result["left"]) <= 1
        assert not result["left"] or result["signal"] or result["exit"] == 2 + result["error"]
