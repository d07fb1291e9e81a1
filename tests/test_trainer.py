"""The first 20 training steps against a trainer in plain NumPy that knows nothing of fastnn.

The plain trainer runs in float64, and once more in float32 to show what rounding alone does. fastnn,
which rounds as often, must stay within a small multiple of that divergence, measured for each weight as
the norm of the difference. The multiple allows for other orders of summation (seen: 1.9); a wrong
formula anywhere is off by many thousand times as much.
"""

import ast
from pathlib import Path

import numpy as np
import plain_trainer
import pytest

import fastnn
from fastnn.layers import Dense
from fastnn.optimizers import SGD, Adam, RMSprop

load_digits = pytest.importorskip("sklearn.datasets").load_digits

SIZES, STEPS, BATCH = (64, 40, 30, 20, 10), 20, 32
OPTIMIZERS = {"sgd": lambda: SGD(0.05, momentum=0.9), "rmsprop": RMSprop, "adam": Adam}
MULTIPLE = 4
LOSS_ROUNDINGS = 4 * np.finfo(np.float32).eps  # seen: 0.4 epsilons


def test_the_plain_trainer_imports_numpy_only():
    tree = ast.parse(Path(plain_trainer.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert [alias.name for node in imports for alias in node.names] == ["numpy"]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", plain_trainer.ACTIVATIONS)
def test_twenty_steps(activation, optimizer):
    x, labels = load_digits(return_X_y=True)
    x = x / 16  # exact in float32
    batches = [(x[i : i + BATCH], labels[i : i + BATCH]) for i in range(0, STEPS * BATCH, BATCH)]
    weights = [w.astype(np.float32) for w in plain_trainer.initial_weights(SIZES, np.random.default_rng(4))]
    single, double = (
        plain_trainer.train(weights, batches, activation, getattr(plain_trainer, optimizer), dtype)
        for dtype in (np.float32, np.float64)
    )
    model = fastnn.Sequential([fastnn.Input(SIZES[:1]), *(Dense(n, activation=activation) for n in SIZES[1:-1])])
    model.add(Dense(SIZES[-1], activation="softmax"))
    model.compile(OPTIMIZERS[optimizer](), "sparse_categorical_crossentropy")
    model.set_weights(weights)
    for batch, (_, near), (loss, exact) in zip(batches, single, double, strict=True):
        model.reset_metrics()
        assert abs(model.train_on_batch(*batch) - loss) <= LOSS_ROUNDINGS * loss
        for ours, plain, true in zip(model.get_weights(), near, exact, strict=True):
            assert np.linalg.norm(ours - true) <= MULTIPLE * np.linalg.norm(plain - true)
