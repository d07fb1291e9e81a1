"""Beside a busy process a smaller team is sooner done; `Contention` finds that out, and when it is over."""

import json
import os
import subprocess
import sys

import pytest

from fastnn.contention import LONGEST_PAUSE, PAUSE, Contention
from fastnn.execute import has_openmp


class Machine:
    """Pretends to train in chunks of about 30 ms, as `fit` does, on cores of which some are busy.

    Parameters
    ----------
    cores : int
    seconds : function
        (team, busy) -> seconds per row, and the share of them for which all but one thread of the team sleep.
    """

    def __init__(self, cores, seconds):
        self.cores, self.seconds = cores, seconds
        self.contention, self.now, self.rows, self.teams = Contention(), 0.0, 0, []

    def train(self, duration, busy=0):
        """Rows per second."""
        end, start, before, chunk = self.now + duration, self.now, self.rows, 1
        while self.now < end:
            team = self.contention.team(self.cores)
            per_row, share = self.seconds(team, busy)
            taken = chunk * per_row
            self.now += taken
            self.contention.note(team, chunk, taken, share * taken * (team - 1))
            self.rows += chunk
            self.teams.append(team)
            chunk = max(1, min(4 * chunk, int(0.03 / per_row)))
        return (self.rows - before) / (self.now - start)


def two_cores(team, busy):
    """As measured: a small network on two cores."""
    return (0.93e-3, 0.0) if team == 1 else (2.1e-3, 0.56) if busy else (0.65e-3, 0.04)


def sixteen_cores(team, busy):
    """Twice the time where a thread of the team has to share its core."""
    return (2e-3 / team, 0.5) if team + busy > 16 else (1e-3 / team, 0.0)


def test_an_idle_machine():
    machine = Machine(2, two_cores)
    machine.train(60)
    assert set(machine.teams) == {2}


def test_hiccups():
    """Every now and then something runs for 10 ms."""
    chunks = iter(range(10**6))
    machine = Machine(2, lambda team, busy: (0.9e-3, 0.3) if next(chunks) % 4 == 0 else two_cores(team, 0))
    machine.train(60)
    assert set(machine.teams) == {2}


def test_a_busy_process_on_two_cores():
    machine, alone = Machine(2, two_cores), 1 / two_cores(1, 1)[0]
    assert machine.train(1, busy=1) > 0.75 * alone  # with the time it takes to find out
    assert machine.train(60, busy=1) > 0.95 * alone
    machine.train(LONGEST_PAUSE + 0.1)
    whole = 1 / two_cores(2, 0)[0]
    assert machine.train(10) > 0.99 * whole
    machine.train(2 * PAUSE, busy=1)
    machine.train(2 * PAUSE)  # what happened before is forgotten, else it would be a long pause
    assert machine.teams[-1] == 2


def test_many_threads_that_sleep_a_little():
    machine = Machine(16, lambda team, busy: (1e-3 / team, 0.1))
    machine.train(10)
    assert set(machine.teams) == {16}


@pytest.mark.parametrize("busy", [1, 2, 4])
def test_busy_processes_on_sixteen_cores(busy):
    machine, best = Machine(16, sixteen_cores), 1 / sixteen_cores(16 - busy, busy)[0]
    machine.train(4, busy)
    assert machine.train(60, busy) > 0.9 * best
    assert min(machine.teams) >= 16 - busy


def test_threads_that_wait_for_something_else():
    """Cores of different speed, a large step of one thread: fewer threads would only be slower."""
    machine = Machine(4, lambda team, busy: (1e-3 / team, 0.4))
    machine.train(4)
    assert machine.train(60) > 0.98 * 4000


def test_more_busy_processes_than_cores():
    machine = Machine(4, lambda team, busy: (2e-3, 0.7))
    machine.train(60, busy=8)
    assert machine.rows > 0.99 * 60 / 2e-3


def test_one_thread_has_nothing_to_give_up():
    machine = Machine(1, lambda team, busy: (1e-3, 0.9))
    machine.train(10)
    assert set(machine.teams) == {1}


def test_runs_without_rows():
    contention = Contention()
    for _ in range(9):
        contention.note(2, 0, 0.03, 0.02)
    assert contention.team(2) == 2


PROGRAM = """
import json, os, sys, time
import numpy as np
import fastnn
from fastnn.execute import NativeExecutor
from fastnn.layers import Dense

os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
teams, run = [], NativeExecutor.run

def spied(*args, **kwargs):
    result = run(*args, **kwargs)
    teams.append(result.team)
    return result

NativeExecutor.run = spied
x = np.arange(2**18).reshape(1024, 256) % 17 / np.float32(17)

def trained(threads, seconds):
    # The state after ten epochs, trained on so many threads until one has been given up.
    fastnn.set_random_seed(1)
    model = fastnn.Sequential([Dense(256, activation="relu", input_shape=(256,)), Dense(256), Dense(1)])
    model.compile("adam", "mse")
    teams.clear()
    end = time.monotonic() + seconds
    with fastnn.threads(threads):
        for epoch in range(10):
            model.fit(x, x[:, 0], batch_size=256, verbose=0)
        state = [w.tobytes() for w in model.get_weights()]
        while set(teams) == {threads} and time.monotonic() < end:
            model.fit(x, x[:, 0], batch_size=256, verbose=0)
    return state, sorted(set(teams))

alone, _ = trained(1, 0)
shared, found = trained(2, float(sys.argv[1]))
print(json.dumps([alone == shared, found]))
"""


@pytest.mark.skipif(not has_openmp(), reason="a build without OpenMP has one thread")
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
@pytest.mark.parametrize(("force", "seconds", "teams"), [("0", 60, [1, 2]), ("1", 1, [2])])
def test_two_threads_on_one_cpu(force, seconds, teams):
    """They disturb each other as another process would. Forced threads stay as many as they are."""
    environment = os.environ | {"FASTNN_FORCE_THREADS": force}
    command = [sys.executable, "-c", PROGRAM, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, teams]
