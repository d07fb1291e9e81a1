"""What happens when a loss or a gradient is not finite: stop, skip the step, or go on."""

import numpy as np
import pytest
from nets import THREADS, class_patterns, force, small_net, state

import fastnn
from fastnn import ops
from fastnn.errors import NonFiniteError
from fastnn.execute import NativeExecutor, NumpyExecutor
from fastnn.layers import Dense
from fastnn.models import loop
from fastnn.optimizers import SGD, RMSprop
from fastnn.plan import plan
from fastnn.record import Recorder

BATCH, BAD = 8, 6  # batches of eight rows, of which the seventh is not finite
X, Y = class_patterns(83, width=20, classes=5)


def poisoned(value):
    """The data with one such number in the bad batch."""
    x = X.copy()
    x[BATCH * BAD + 3, 7] = value
    return x


def fit(model, x, y, **kwargs):
    return model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, **kwargs)


OPTIMIZERS = {
    "adam": lambda: "adam",
    "rmsprop": lambda: RMSprop(centered=True, momentum=0.5),
    "sgd": lambda: SGD(momentum=0.9),
}


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_raise_leaves_all_as_after_the_last_finite_step(value, optimizer, threads, monkeypatch):
    force(monkeypatch, "", threads)
    model, twin = small_net(OPTIMIZERS[optimizer]()), small_net(OPTIMIZERS[optimizer]())
    with pytest.raises(NonFiniteError) as caught:
        fit(model, poisoned(value), Y)
    fit(twin, X[: BATCH * BAD], Y[: BATCH * BAD])
    assert state(model) == state(twin)
    assert isinstance(caught.value, FloatingPointError)
    assert caught.value.step == BAD and f"step {BAD}" in str(caught.value)
    # The model is as good as before.
    fit(model, X, Y)
    fit(twin, X, Y)
    assert state(model) == state(twin)


@pytest.mark.parametrize("seconds", [0, 1e9])
def test_skip_leaves_out_the_update_but_counts_the_step(seconds, monkeypatch):
    """So learning rates, bias corrections and dropout masks stay with their batches, whatever the chunks."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
    model, twin = small_net(), small_net()
    fit(model, poisoned(np.nan), Y, on_nonfinite="skip")
    fit(twin, X[: BATCH * BAD], Y[: BATCH * BAD])
    twin.optimizer.iterations += 1
    fit(twin, X[BATCH * (BAD + 1) :], Y[BATCH * (BAD + 1) :])
    assert state(model) == state(twin) and model.optimizer.iterations == 11


def test_ignore_goes_on_as_keras_does():
    model = small_net()
    history = fit(model, poisoned(np.nan), Y, on_nonfinite="ignore")
    assert model.optimizer.iterations == 11
    assert all(np.isnan(w).any() for w in model.get_weights()) and np.isnan(history.history["loss"]).all()


def test_policies_are_alike_while_all_is_finite():
    states = []
    for policy in ("raise", "skip", "ignore"):
        model = small_net()
        fit(model, X, Y, on_nonfinite=policy)
        states.append(state(model))
    assert states[0] == states[1] == states[2]
    with pytest.raises(ValueError, match="on_nonfinite: received 'stop'"):
        fit(model, X, Y, on_nonfinite="stop")


def test_a_huge_learning_rate_names_the_step_and_a_layer():
    model, twin = small_net(SGD(1e38)), small_net(SGD(1e38))
    with pytest.raises(NonFiniteError) as caught:
        fit(model, X, Y)
    step, layer = caught.value.step, caught.value.layer
    assert step >= 1 and layer in ("first", "middle", "last")
    assert f"step {step}, " in str(caught.value) and f"layer {layer!r}" in str(caught.value)
    fit(twin, X[: BATCH * step], Y[: BATCH * step])
    assert state(model) == state(twin)


@pytest.mark.parametrize("layer", ["first", "middle", "last"])
def test_an_infinite_weight_names_its_layer(layer):
    model = small_net()
    model.get_layer(layer).kernel.value[0, 0] = np.inf
    before = state(model)
    with pytest.raises(NonFiniteError, match=f"step 0.*{layer!r}") as caught:
        fit(model, np.abs(X) + 1, Y)
    assert (caught.value.step, caught.value.layer) == (0, layer)
    assert state(model) == before


def test_a_gradient_alone_may_be_infinite():
    """The prediction 1 and the loss 99^2 are finite, the gradient -2 * 99 * 1e38 is not."""
    model = fastnn.Sequential([Dense(1, input_shape=(1,), name="only")])
    model.compile("adam", "mse")
    model.set_weights([[[1e-38]], [0.0]])
    before = state(model)
    with pytest.raises(NonFiniteError, match="dense_grad_kernel of layer 'only'"):
        model.fit([[1e38]], [[100.0]], verbose=0)
    assert state(model) == before
    with pytest.raises(NonFiniteError):
        model.train_on_batch([[1e38]], [[100.0]])
    assert state(model) == before


def test_an_overflow_that_numpy_does_not_meet_changes_nothing_either():
    """In C the sum runs in the order of k and overflows; in the lanes of a BLAS the large numbers cancel.
    The search for the layer, which is done with NumPy, must not take the step."""
    model = fastnn.Sequential([Dense(1, input_shape=(256,), use_bias=False)])
    model.compile("adam", "mae")
    model.set_weights([np.ones((256, 1))])
    x = np.zeros((1, 256), np.float32)
    x[0, [0, 1]], x[0, [128, 129]] = 3e38, -3e38
    before = state(model)
    with pytest.raises(NonFiniteError, match="step 0"):
        model.fit(x, [[1.0]], verbose=0)
    assert state(model) == before


@pytest.mark.parametrize("executor", [NativeExecutor, NumpyExecutor])
def test_a_check_stops_nothing_where_there_is_no_update(executor):
    recorder = Recorder(rows=2)
    x = recorder.rows_input("x", (1,))
    ops.check_finite(x)
    recorder.output(ops.relu(x), "y")
    data = {"x": np.array([[np.nan], [1], [2]], np.float32), "y": np.zeros((3, 1), np.float32)}
    iteration = np.zeros(1, np.int64)
    run = executor(plan(recorder.program()), []).run(data, np.array([0, 2]), np.array([2, 1]), iteration=iteration)
    assert (run.batches, run.skipped, iteration[0]) == (2, 0, 0)
    np.testing.assert_array_equal(data["y"], data["x"])
