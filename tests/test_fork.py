"""A process that has used several threads may fork in any way, and the child trains at once, to the same bits."""

import json
import os
import subprocess
import sys

import pytest

# Each way makes 40 children. Every child writes the seconds that its training took to a pipe, and is ended
# by an alarm if it hangs.
PROGRAM = """
import json, multiprocessing, os, signal, threading, time
import numpy as np
import fastnn
from fastnn.layers import Dense

x = np.arange(12800.0).reshape(200, 64) / 12800
model = fastnn.Sequential([Dense(64, activation="relu", input_shape=(64,)), Dense(1)])
model.compile("sgd", "mse")
first = model.get_weights()
read, write = os.pipe()

def work():
    with fastnn.threads(2):
        model.set_weights(first)
        model.fit(x, x[:, 0], batch_size=200, shuffle=False, verbose=0)
        return [w.tobytes() for w in model.get_weights()], model.predict(x, batch_size=200, verbose=0).tobytes()

def child(depth=0):
    signal.alarm(30)
    start = time.perf_counter()
    assert work() == wanted
    os.write(write, b"%f\\n" % (time.perf_counter() - start))
    if depth:
        fork(depth - 1)

def fork(depth=1):
    pid = os.fork()
    if pid == 0:
        try:
            child(depth)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0

def nested():
    for _ in range(20):
        assert work() == wanted
        fork()

def in_a_thread():
    errors = []

    def run():
        try:
            nested()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not errors, errors

def while_another_thread_predicts():
    other, stop, rounds = fastnn.Sequential([Dense(64, input_shape=(64,)), Dense(64), Dense(1)]), threading.Event(), []

    def predict():
        with fastnn.threads(2):
            while not stop.is_set():
                rounds.append(other.predict(x, verbose=0).tobytes())

    thread = threading.Thread(target=predict)
    thread.start()
    try:
        for _ in range(20):
            had = len(rounds)
            while len(rounds) < had + 2:
                time.sleep(0.001)
            fork()
    finally:
        stop.set()
        thread.join()
    assert len(set(rounds)) == 1

def processes():
    context = multiprocessing.get_context("fork")
    for _ in range(20):
        started = [context.Process(target=child) for _ in range(2)]
        assert work() == wanted
        for process in started:
            process.start()
        for process in started:
            process.join()
            assert process.exitcode == 0

def pools():
    context = multiprocessing.get_context("fork")
    for _ in range(10):
        assert work() == wanted
        with context.Pool(2, maxtasksperchild=1) as pool:  # forks in a thread of its own
            assert pool.map(child, [0] * 4, chunksize=1) == [None] * 4

wanted = work()
for way in (nested, in_a_thread, while_another_thread_predicts, processes, pools):
    way()
os.close(write)
with os.fdopen(read) as pipe:
    print(json.dumps([float(line) for line in pipe]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_children_train_after_a_fork():
    environment = os.environ | {"FASTNN_FORCE_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, env=environment)
    assert run.returncode == 0, run.stderr
    seconds = sorted(json.loads(run.stdout))
    assert len(seconds) == 200
    assert seconds[100] < 1  # most need some milliseconds; the alarm ends what hangs
