"""Between two calls the process rests: threads that wait for the next one may spin for a moment only."""

import os
import subprocess
import sys

from fastnn.execute import has_openmp

CODE = """
import time
import numpy as np
import fastnn
from fastnn.execute import kept

model = fastnn.Sequential([fastnn.layers.Dense(300, activation="relu", input_shape=(200,)), fastnn.layers.Dense(10)])
model.compile("adam", "mse")
x, y = np.ones((2000, 200), np.float32), np.ones((2000, 10), np.float32)


def train():
    model.fit(x, y, batch_size=500, epochs=2, verbose=0)


calls = {"fit": train, "predict": lambda: model.predict(x, batch_size=500), "call": lambda: model(x[:500])}
for name, call in calls.items():
    with fastnn.threads(2):
        call()
        time.sleep(0.05)
        before = time.process_time()
        time.sleep(1)
        print(name, kept.team, time.process_time() - before)
"""


def test_a_process_rests_after_a_call():
    """From 50 ms after a call of fit, predict or the model, at most 10 ms of CPU in a second."""
    # Only our threads: NumPy is on one, and OpenMP waits as it does for any user.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "FASTNN_"))}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "FASTNN_FORCE_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    lines = [line.split() for line in run.stdout.splitlines()]
    assert [name for name, *_ in lines] == ["fit", "predict", "call"]
    for name, team, seconds in lines:
        assert int(team) == (2 if has_openmp() else 1)
        assert float(seconds) <= 0.01, f"{seconds} s of CPU in the second after {name} on {team} threads"
