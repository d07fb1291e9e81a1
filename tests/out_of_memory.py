"""Lets the n-th allocation of a call fail, for n = 1, 2, 3 ... until the call needs fewer.

``out_of_memory.py LEAST CALL ...``, run by `test_memory.py` with `preload.c` before the C library, counts allocations
of LEAST bytes or more. Each time the call must raise MemoryError and leave the model as it is after a whole number of
training steps, and the model must go on from there like one that never ran out of memory. Prints what was not so.
"""

import ctypes
import sys

import numpy as np

import fastnn
from fastnn.callbacks import LambdaCallback
from fastnn.layers import Dense, Dropout
from fastnn.models import loop

# NumPy's own iterators are smaller. Where it cannot allocate one, NumPy (2.4) raises SystemError or ValueError.
ARRAY = 2048

SAMPLES = 330  # so few that NumPy holds the lock of Python when it allocates; without it, it crashes
X = np.random.default_rng(0).standard_normal((SAMPLES, 16))
Y = np.arange(SAMPLES) % 3
WEIGHTS = np.linspace(0.5, 1.5, SAMPLES)


def fresh():
    """A net of 16-32-3 that is not built yet."""
    fastnn.set_random_seed(3)
    model = fastnn.Sequential(
        [
            Dense(32, activation="relu", kernel_regularizer="l2"),
            Dropout(0.25),
            Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def built():
    model = fresh()
    model.evaluate(X[:40], Y[:40], verbose=0)
    return model


def trained():
    model = fresh()
    model.fit(X[:40], Y[:40], verbose=0)
    return model


def fit(model, **kwargs):
    """Two epochs of nine steps."""
    return model.fit(X, Y, epochs=2, validation_split=0.2, sample_weight=WEIGHTS, verbose=0, **kwargs).history


# name: the model and the call
CALLS = {
    "first fit": (fresh, fit),
    "fit of a built model": (built, fit),
    "fit": (trained, fit),
    "first train_on_batch": (fresh, lambda model: model.train_on_batch(X, Y)),
    "train_on_batch": (trained, lambda model: model.train_on_batch(X, Y)),
    "first evaluate": (fresh, lambda model: model.evaluate(X, Y, verbose=0)),
    "evaluate": (trained, lambda model: model.evaluate(X, Y, verbose=0)),
    "first predict": (fresh, lambda model: model.predict(X)),
    "predict": (trained, lambda model: model.predict(X)),
    "build": (fresh, lambda model: model.build((None, 16))),
    "compile": (trained, lambda model: model.compile("sgd", "mse", metrics=["mae"])),
}


def state(model):
    """What a call may change. Looking at it changes nothing, so it does not ask `Optimizer.slots`."""
    slots = [kept.items() for kept in model.optimizer._slots.values()]
    return {
        "built": [(layer.built, layer.build_shape) for layer in (model, *model.layers)],
        "weights": [w.tobytes() for w in model.get_weights()],
        "slots": [(name, slot.numpy().tobytes()) for kept in slots for name, slot in kept],
        "compiled": (model.optimizer.get_config(), model.loss.name),
        "steps": model.optimizer.iterations,
    }


class Expected:
    """The same call with all the memory it wants."""

    def __init__(self, make, call):
        self.make, self.call = make, call
        model = make()
        before = state(model)
        self.states = {before["steps"]: before}  # after so many steps
        self.outcomes = {}

        def note(*_):
            self.states.setdefault(model.optimizer.iterations, state(model))

        if call is fit:
            fit(model, callbacks=LambdaCallback(on_train_batch_end=note))
        else:
            call(model)
            note()

    def outcome(self, steps):
        """Result and state of the call on a model that was stopped when it had taken so many steps."""
        if steps not in self.outcomes:
            model = self.make()

            def stop(*_):
                model.stop_training = model.optimizer.iterations == steps

            if model.optimizer.iterations < steps:
                self.call(model, **({"callbacks": LambdaCallback(on_train_batch_end=stop)} if self.call is fit else {}))
            self.outcomes[steps] = outcome(self.call, model)
        return self.outcomes[steps]


def outcome(call, model):
    """What a call returns, and what it leaves."""
    result = call(model)
    return result.tolist() if isinstance(result, np.ndarray) else result, state(model)


def failures(make, call, least):
    """What went wrong, and how many allocations failed."""
    preload, expected = ctypes.CDLL(None), Expected(make, call)
    allowed = MemoryError if least >= ARRAY else (MemoryError, SystemError, ValueError)
    wrong, n = [], 0
    while True:
        n += 1
        model, raised = make(), None
        try:
            preload.preload_start(ctypes.c_size_t(least), ctypes.c_long(n))
            call(model)
        except BaseException as error:
            raised = error
        if preload.preload_stop() < n:
            return wrong, n - 1
        if not isinstance(raised, allowed):
            wrong.append(f"allocation {n}: {raised!r}")
        now, steps = state(model), model.optimizer.iterations
        wrong += [f"allocation {n}: other {name}" for name in now if now[name] != expected.states[steps][name]]
        if outcome(call, model) != expected.outcome(steps):
            wrong.append(f"allocation {n}: the model does not go on as before")


if __name__ == "__main__":
    loop.CHUNK_SECONDS = 1e9  # the same calls of C each time
    for name in sys.argv[2:]:
        wrong, failed = failures(*CALLS[name], int(sys.argv[1]))
        print(f"{name}: {failed} allocations failed", *wrong, sep="\n")
