"""Networks, data and a spy, shared by the tests that prove whole runs."""

from dataclasses import dataclass

import numpy as np

import fastnn
from fastnn.execute import NativeExecutor, has_openmp
from fastnn.layers import BatchNormalization, Dense, Dropout
from fastnn.ops.philox import random_bits

THREADS = (1, 2, 3, 4) if has_openmp() else (1,)


def class_patterns(samples, width=784, classes=10):
    """Noisy patterns, one per class, and labels: integer arithmetic alone, exact in float32, equal anywhere."""
    labels = 7 * np.arange(samples) % classes
    patterns = (labels[:, np.newaxis] + 1) * (np.arange(width) + 3) % 17
    noise = random_bits(samples, width, seed=1, stream=0, iteration=0) >> np.uint32(27)
    return ((patterns + noise) / 64).astype(np.float32), labels


def five_layers():
    """784-200-100-60-30-10 with dropout behind the last three hidden layers."""
    fastnn.set_random_seed(7)
    model = fastnn.Sequential(
        [
            Dense(200, activation="relu", input_shape=(784,)),
            Dense(100, activation="relu"),
            Dropout(0.1),
            Dense(60, activation="relu"),
            Dropout(0.2),
            Dense(30, activation="relu"),
            Dropout(0.3),
            Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def small_net(optimizer="adam", width=20, classes=5):
    """Three layers with dropout, quick on every instruction set."""
    fastnn.set_random_seed(3)
    model = fastnn.Sequential(
        [
            Dense(33, activation="relu", input_shape=(width,), name="first"),
            Dropout(0.25),
            Dense(17, activation="tanh", name="middle"),
            Dense(classes, activation="softmax", name="last"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def state(model):
    """Bytes of all weights and optimizer slots, and the number of steps taken."""
    optimizer = model.optimizer
    slots = [slot.value for v in model.trainable_variables for slot in optimizer.slots(v).values()]
    return [a.tobytes() for a in (*model.get_weights(), *slots)], optimizer.iterations


@dataclass
class Call:
    """A call of C: on which instruction set, how many batches, which team."""

    isa: str
    batches: int
    team: int


def spy_on_calls(monkeypatch):
    """The list to which every further run in C adds its `Call`."""
    calls, run = [], NativeExecutor.run

    def spied(self, data, first_rows, row_counts, *args, **kwargs):
        result = run(self, data, first_rows, row_counts, *args, **kwargs)
        calls.append(Call(self.isa, len(row_counts), result.team))
        return result

    monkeypatch.setattr(NativeExecutor, "run", spied)
    return calls


def force(monkeypatch, isa, threads):
    """Use an instruction set and share even the smallest step among so many threads."""
    monkeypatch.setenv("FASTNN_ISA", isa)
    monkeypatch.setenv("FASTNN_NUM_THREADS", str(threads))
    monkeypatch.setenv("FASTNN_FORCE_THREADS", "1")


def plan_lines(text):
    """What the lines of `describe()` have in some of the columns."""
    _, head, *lines = text.splitlines()
    begins = {name: head.index(name) for name in ("sweep", "rows", "threads", "operation", "layer")}
    return [{name: line[begin:].split("  ")[0] for name, begin in begins.items()} for line in lines]


def net(optimizer="adam", seed=5):
    """A compiled classifier with all that training keeps: weights, statistics of batches, random numbers."""
    fastnn.set_random_seed(seed)
    model = fastnn.Sequential(
        [
            Dense(6, activation="tanh", input_shape=(4,)),
            BatchNormalization(),
            Dropout(0.2),
            Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def bits(model):
    """Weights of a model and what its optimizer keeps, as bytes."""
    kept = model.optimizer.state(model.variables) if model.optimizer else {}
    return [w.tobytes() for w in model.get_weights()] + [kept[name].tobytes() for name in sorted(kept)]
