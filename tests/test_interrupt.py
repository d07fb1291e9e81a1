"""Ctrl-C stops training between two steps and leaves a model as it is after that many steps."""

import json
import signal
import subprocess
import sys

import pytest

# Runs in a process of its own, because the signal goes to the whole process. A thread sends it while
# the main thread is inside fit; the time until KeyboardInterrupt arrives is taken in there as well.
SCRIPT = """
import json, os, signal, sys, threading, time
import numpy as np
import fastnn
from fastnn import callbacks, layers

rng = np.random.default_rng(0)
x, y = rng.standard_normal((1000, 40)).astype(np.float32), rng.integers(0, 10, 1000)
threads, verbose = map(int, sys.argv[1:])
signal.signal(signal.SIGINT, signal.default_int_handler)  # of a background job it is ignored

def net():
    fastnn.set_random_seed(6)
    model = fastnn.Sequential([
        layers.Dense(64, activation="relu", input_shape=(40,)),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model

sent = []

def interrupt():
    while model.optimizer.iterations < 60:
        time.sleep(0.05)
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

model = net()
start = callbacks.LambdaCallback(on_train_begin=lambda logs: threading.Thread(target=interrupt).start())
try:
    with fastnn.threads(threads):
        model.fit(x, y, epochs=10**6, verbose=verbose, callbacks=start)
except KeyboardInterrupt:
    seconds = time.monotonic() - sent[0]

fastnn.set_num_threads(1)
steps = model.optimizer.iterations
again = net()

def stop(batch, logs):
    again.stop_training = again.optimizer.iterations == steps

again.fit(x, y, epochs=10**6, verbose=0, callbacks=callbacks.LambdaCallback(on_train_batch_end=stop))

def bits(model):
    slots = [v.numpy().tobytes() for w in model.weights for v in model.optimizer.slots(w).values()]
    return [w.tobytes() for w in model.get_weights()] + slots

result = {"seconds": seconds, "steps": steps, "weights": bits(model) == bits(again)}
result["predictions"] = model.predict(x).tobytes() == again.predict(x).tobytes()
for each in (model, again):
    each.fit(x, y, epochs=2, verbose=0)
result["trained"] = bits(model) == bits(again) and model.optimizer.iterations == steps + 2 * 32
result["score"] = model.evaluate(x, y, verbose=0) == again.evaluate(x, y, verbose=0)
print()
print(json.dumps(result))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(("threads", "verbose"), [(1, 0), (2, 1)])
def test_ctrl_c_stops_soon_and_leaves_a_usable_model(threads, verbose):
    command = [sys.executable, "-c", SCRIPT, str(threads), str(verbose)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    # A chunk takes 30 ms; the bound leaves room for a machine that does other things as well.
    assert result.pop("seconds") < 2
    assert result.pop("steps") >= 60
    assert result == {"weights": True, "predictions": True, "trained": True, "score": True}
