"""A process that has used several threads may fork, and the child may train."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, threading
import numpy as np
import fastnn
from fastnn.layers import Dense

x = np.arange(12800.0).reshape(200, 64) / 12800
model = fastnn.Sequential([Dense(64, activation="relu", input_shape=(64,)), Dense(1)])
model.compile("sgd", "mse")

def work():
    with fastnn.threads(2):
        model.fit(x, x[:, 0], epochs=1, verbose=0)
        return model.predict(x, verbose=0)

def fork_and_work(depth):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        work()
        if depth:
            fork_and_work(depth - 1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

def repeatedly():
    for _ in range(10):
        work()
        fork_and_work(depth=1)

repeatedly()
thread = threading.Thread(target=repeatedly)
thread.start()
thread.join()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_children_train_after_a_fork():
    environment = os.environ | {"FASTNN_FORCE_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, env=environment)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "done\n"
