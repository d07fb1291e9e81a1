"""Every wrong call around L-BFGS: the right type, a message of four parts, and nothing changed by it."""

import re

import numpy as np
import pytest
from test_wrong_calls import PARTS, X, Y
from test_wrong_calls import state as state_of_model

import fastnn
from fastnn import constraints, layers, schedules
from fastnn.optimizers import LBFGS
from fastnn.variable import Variable

BATCH = r"batch_size: received .*batches.*all samples in one batch.*LBFGS.*batch_size=\"full\""


def model(optimizer=None, constraint=None, built=True):
    """4-5-3, trained for two iterations."""
    fastnn.set_random_seed(5)
    hidden = layers.Dense(5, "tanh", name="hidden", kernel_constraint=constraint)
    made = fastnn.Sequential([layers.Input((4,)), hidden, layers.Dense(3, "softmax", name="output")], name="small")
    made.compile(optimizer or LBFGS(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    if built and constraint is None:
        fit(made, epochs=2)
    return made


def fit(made, **options):
    return made.fit(X, Y, **{"batch_size": "full", "epochs": 1, "verbose": 0} | options)


def state(made):
    """All that a wrong call could have changed."""
    optimizer = made.optimizer
    kept = [(s.tobytes(), y.tobytes(), product) for s, y, product in optimizer._changes]
    return state_of_model(made) | {"kept": kept, "converged": optimizer.converged, "name": optimizer.get_config()}


def constrained(made):
    """Training of a model with a constraint."""
    other = model(constraint=constraints.MaxNorm(1.0), built=False)
    before = [w.tobytes() for w in other.get_weights()]
    try:
        fit(other)
    finally:
        assert [w.tobytes() for w in other.get_weights()] == before and other.history is None
        assert other.optimizer.iterations == 0 and not other._executors


class Batches(fastnn.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, i):
        return X, Y


def ignoring(made):
    """train_on_batch, which has no argument for it, under the policy of the process."""
    fastnn.config.set_on_nonfinite("ignore")
    try:
        made.train_on_batch(X, Y)
    finally:
        fastnn.config.set_on_nonfinite("raise")


CASES = {
    "history-zero": (lambda m: LBFGS(history_size=0), ValueError, "history_size: received 0"),
    "history-part": (lambda m: LBFGS(history_size=2.5), TypeError, "history_size: received 2.5"),
    "history-array": (lambda m: LBFGS(history_size=np.ones(2)), TypeError, "history_size: received"),
    "evaluations-zero": (lambda m: LBFGS(max_eval=0), ValueError, "max_eval: received 0"),
    "evaluations-flag": (lambda m: LBFGS(max_eval=True), TypeError, "max_eval: received True"),
    "gradient-negative": (lambda m: LBFGS(tolerance_grad=-1e-3), ValueError, "tolerance_grad: received -0.001"),
    "change-nan": (lambda m: LBFGS(tolerance_change=np.nan), ValueError, "tolerance_change: received nan"),
    "change-string": (lambda m: LBFGS(tolerance_change="1"), TypeError, "tolerance_change: received '1'"),
    "rate-zero": (lambda m: LBFGS(0.0), ValueError, "learning_rate: received 0.0.*positive"),
    "rate-negative": (lambda m: LBFGS(-1), ValueError, "learning_rate: received -1"),
    "rate-array": (lambda m: LBFGS(np.ones(2)), TypeError, "learning_rate: received"),
    "rate-set": (lambda m: setattr(m.optimizer, "learning_rate", 0.0), ValueError, "learning_rate: received 0.0"),
    "decay": (lambda m: LBFGS(weight_decay=0.1), ValueError, "weight_decay: received 0.1.*kernel_regularizer"),
    "clipnorm": (lambda m: LBFGS(clipnorm=1.0), ValueError, "clipnorm: received 1.0.*line search limits"),
    "clipvalue": (lambda m: LBFGS(clipvalue=1.0), ValueError, "clipvalue: received 1.0.*line search limits"),
    "global": (lambda m: LBFGS(global_clipnorm=1.0), ValueError, "global_clipnorm: received 1.0"),
    "clip-array": (lambda m: LBFGS(clipnorm=np.ones(2)), ValueError, "clipnorm: received"),
    "ema": (lambda m: LBFGS(use_ema=True), ValueError, "use_ema: received True.*LBFGS"),
    "gather": (lambda m: LBFGS(gradient_accumulation_steps=2), ValueError, "gradient_accumulation_steps: received 2"),
    "scale": (lambda m: LBFGS(loss_scale_factor=2.0), ValueError, "loss_scale_factor.*not provided"),
    "iterations": (lambda m: LBFGS(max_iter=20), ValueError, "argument of LBFGS: received 'max_iter'.*'max_eval'"),
    "wolfe": (lambda m: LBFGS(line_search_fn="strong_wolfe"), ValueError, "received 'line_search_fn'"),
    "batches": (lambda m: fit(m, batch_size=4), ValueError, BATCH),
    "batches-too-many": (lambda m: fit(m, batch_size=11), ValueError, BATCH),
    "batches-of-epoch": (lambda m: fit(m, steps_per_epoch=2), ValueError, BATCH),
    "batches-one-of-many": (lambda m: fit(m, batch_size=6, steps_per_epoch=1), ValueError, BATCH),
    "generator": (lambda m: m.fit(iter([(X, Y)]), verbose=0), ValueError, "batch_size.*stream.*all samples"),
    "dataset": (lambda m: m.fit(Batches(), verbose=0), ValueError, "batch_size.*stream.*all samples"),
    "ignore": (lambda m: fit(m, on_nonfinite="ignore"), ValueError, "on_nonfinite: received 'ignore'.*compares losses"),
    "ignore-one": (ignoring, ValueError, "on_nonfinite: received 'ignore'.*compares losses"),
    "validation": (lambda m: fit(m, validation_data=(X[:, :2], Y)), ValueError, r"validation_data\[0\]"),
    "constraint": (constrained, ValueError, "constraint: received .*'hidden/kernel'.*regularizer"),
    "gradients": (
        lambda m: m.optimizer.apply_gradients([(np.zeros(v.shape), v) for v in m.trainable_variables]),
        TypeError,
        r"LBFGS.apply_gradients\(\).*fit\(\) or train_on_batch\(\)",
    ),
    "apply": (lambda m: LBFGS().apply([[1.0]], [Variable([1.0])]), TypeError, r"LBFGS.apply_gradients\(\)"),
    "name": (lambda m: LBFGS(name=""), TypeError, "name: received ''"),
    "misspelt": (lambda m: m.compile("lbgfs", "mse"), ValueError, "optimizer: received 'lbgfs'.*'lbfgs'"),
}


@pytest.fixture(scope="module")
def trained():
    made = model()
    fit(made, epochs=4)
    return made.get_weights()


@pytest.mark.parametrize(("call", "error", "says"), CASES.values(), ids=CASES)
def test_wrong_call(call, error, says, trained):
    made = model()
    before = state(made)
    with pytest.raises((ValueError, TypeError, RuntimeError, NotImplementedError)) as caught:
        call(made)
    message = str(caught.value)
    assert isinstance(caught.value, error), f"{caught.type.__name__}: {message}"
    assert PARTS.fullmatch(message), message
    assert re.search(says, message, re.S), message
    assert state(made) == before
    fit(made, epochs=4)
    for found, expected in zip(made.get_weights(), trained, strict=True):
        assert found.tobytes() == expected.tobytes()


def test_a_schedule_that_comes_to_nothing():
    made = model(LBFGS(schedules.PiecewiseConstantDecay([3], [1.0, 0.0])))
    before = state(made) | {"rate": None}
    with pytest.raises(ValueError, match=r"learning_rate: received 0\.0.*positive") as caught:
        fit(made, epochs=6)
    assert PARTS.fullmatch(str(caught.value))
    assert made.optimizer.iterations == 4 > before["iterations"]  # those of the steps before


def test_there_are_many():
    assert len(CASES) >= 30
