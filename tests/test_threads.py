"""Threads of Python: they run while C computes, may predict at the same time, and never train one model together."""

import threading
import time

import numpy as np
import pytest
from nets import class_patterns, small_net, state

import fastnn
from fastnn.callbacks import LambdaCallback
from fastnn.execute import NativeExecutor
from fastnn.layers import Dense
from fastnn.program import ARENA

X, LABELS = class_patterns(600, width=20, classes=5)


def in_threads(count, call):
    """Results of `call(number)` in so many threads that begin together."""
    begin, results = threading.Barrier(count), [None] * count

    def run(number):
        begin.wait()
        try:
            results[number] = call(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_python_goes_on_while_c_computes(method, threads, monkeypatch):
    """A thread that wants its turn every millisecond gets it while C computes for tenths of a second."""
    x = np.zeros((2048, 64), np.float32)
    model = fastnn.Sequential([Dense(1024, input_shape=(64,)), Dense(1024), Dense(1)])
    model.compile("sgd", "mse")
    ticks, during, run, stop = [0], [], NativeExecutor.run, threading.Event()

    def counting(*args, **kwargs):
        before = ticks[0]
        result = run(*args, **kwargs)
        during.append(ticks[0] - before)
        return result

    def tick():
        while not stop.wait(0.001):
            ticks[0] += 1

    monkeypatch.setattr(NativeExecutor, "run", counting)
    thread = threading.Thread(target=tick)
    thread.start()
    with fastnn.threads(threads):
        getattr(model, method)(x, *([] if method == "predict" else [x[:, 0]]), batch_size=512, verbose=0)
    stop.set()
    thread.join()
    assert len(during) <= 4 and sum(during) > 2 * len(during), during  # if C kept the lock, at most one per call


@pytest.mark.parametrize("force", ["0", "1"])
def test_concurrent_predictions(force, monkeypatch):
    """Of one model, beginning with its first: with several batch sizes, on one to three threads each."""
    monkeypatch.setenv("FASTNN_FORCE_THREADS", force)
    model, wanted = small_net(), small_net().predict(X).tobytes()

    def predict(number):
        with fastnn.threads(1 + number % 3):
            return {model.predict(X, batch_size).tobytes() for batch_size in (7, 32, 200) for _ in range(5)}

    assert in_threads(6, predict) == [{wanted}] * 6


def test_each_call_has_a_workspace_of_its_own(monkeypatch):
    """Calls that overlap never use the same memory; one after another they use it again."""
    model, execute, used, meeting = small_net(), NativeExecutor._execute, [], threading.Barrier(3)
    wanted = model.predict(X, 600).tobytes()

    def watched(self, call, *lowered, **options):
        arena = [area.kind for area in self.program.areas].index(ARENA)
        used.append((int(call.areas["base"][arena]), call.workspace.ctypes.data))
        meeting.wait(60)  # until all have begun
        return execute(self, call, *lowered, **options)

    monkeypatch.setattr(NativeExecutor, "_execute", watched)
    assert in_threads(3, lambda number: model.predict(X, 600).tobytes()) == [wanted] * 3
    arenas, scratches = map(set, zip(*used, strict=True))
    assert len(arenas) == len(scratches) == 3
    meeting = threading.Barrier(1)
    for _ in range(5):
        model.predict(X, 600)
    assert set(used) == set(used[:3])


def test_only_one_thread_trains_a_model():
    """While C trains it, another call is refused at once and does no harm."""
    model, plain, done = small_net(), small_net(), threading.Event()

    def stop(epoch, logs):
        model.stop_training = done.is_set()

    def train(number):
        if number == 0:
            history = model.fit(X, LABELS, epochs=10**6, verbose=0, callbacks=LambdaCallback(on_epoch_end=stop))
            return history.epoch[-1] + 1
        while not model.optimizer.iterations:
            time.sleep(0.001)
        try:
            for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
                for _ in range(20):
                    with pytest.raises(RuntimeError, match="a call while another one trains or evaluates it"):
                        call(X, LABELS)
        finally:
            done.set()
        return "refused"

    epochs, outcome = in_threads(2, train)
    assert outcome == "refused"
    plain.fit(X, LABELS, epochs=epochs, verbose=0)
    assert state(model) == state(plain)
