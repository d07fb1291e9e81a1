"""What happens when a loss or a gradient is not finite: stop, skip the step, or go on."""

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, class_patterns, force, small_net, spy_on_calls, state

import fastnn
from fastnn import config, execute, ops
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


@pytest.mark.parametrize("policy", ["skip", "ignore"])
def test_the_default_can_be_set(policy):
    model, twin, alone = small_net(), small_net(), small_net()
    fit(twin, poisoned(np.nan), Y, on_nonfinite=policy)
    before, batch = state(alone)[0], slice(BATCH * BAD, BATCH * (BAD + 1))
    config.set_on_nonfinite(policy)
    try:
        fit(model, poisoned(np.nan), Y)
        loss = alone.train_on_batch(poisoned(np.nan)[batch], Y[batch])
        with pytest.raises(NonFiniteError):
            fit(small_net(), poisoned(np.nan), Y, on_nonfinite="raise")
    finally:
        config.set_on_nonfinite("raise")
    assert state(model) == state(twin)
    assert np.isnan(loss).any() and alone.optimizer.iterations == 1
    assert (state(alone)[0] == before) == (policy == "skip")
    with pytest.raises(NonFiniteError):
        small_net().train_on_batch(poisoned(np.nan)[batch], Y[batch])


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


# Batches whose gradients cannot be proved finite by the largest of their factors

HUGE = np.float32(3e38)
ROWS, BATCHES = 8, 9


def unprovable(batches, nan=()):
    """Data in which these batches have two rows of huge inputs that cancel each other, and others a NaN.

    The weight of the first input is 1e-37, so that the predictions are about 30, and the mean absolute error has the
    gradient 1 / 8 in both rows. The product of the largest factors, summed over the rows, is no float32.
    """
    x, _ = class_patterns(ROWS * BATCHES, width=6)
    y = x[:, 1:2] - 0.5
    x[:, 0] = 0
    for batch in batches:
        rows = ROWS * batch + np.array([2, 5])
        x[rows, 0], y[rows] = (HUGE, -HUGE), -100
    for batch in nan:
        x[ROWS * batch + 1, 3] = np.nan
    return x, y


def fitted(x, y, policy, stepwise, monkeypatch, together=True):
    """State, history and the step of the error, if there was one; and how many batches the careful plan took over."""
    with monkeypatch.context() as patch:
        if stepwise:
            patch.setattr(
                execute, "plan", lambda recorded, force, *args, **kwargs: plan(recorded, force, stepwise=True)
            )
        if together:
            patch.setattr(loop, "chunks", one_chunk)
        calls = spy_on_calls(patch)
        fastnn.set_random_seed(2)
        model = fastnn.Sequential([Dense(1, input_shape=(6,), name="only")])
        model.compile(SGD(0.05, momentum=0.5), "mae", metrics=["mse"])
        kernel, bias = model.get_weights()
        kernel[0] = 1e-37
        model.set_weights([kernel, bias])
        failed = None
        try:
            fit(model, x, y, epochs=2, on_nonfinite=policy)
        except NonFiniteError as error:
            failed = error.step, error.layer, str(error)
        history = model.history.history if model.history else None
        taken_over = sum(call.batches == 1 for call in calls) if together else None
    assert np.isfinite(np.concatenate([w.ravel() for w in model.get_weights()])).all()
    return (state(model), repr(history), failed), taken_over


def one_chunk(samples, batch_size, pace, first):
    """In place of `chunks`: all batches in one call of C."""
    starts = np.arange(0, samples, batch_size)
    yield 0, samples, starts, np.minimum(batch_size, samples - starts)


@pytest.mark.parametrize("threads", THREADS[:2])
@pytest.mark.parametrize("policy", ["raise", "skip"])
@pytest.mark.parametrize("nan", [(), (6,), (0, 3, 8), (1, 2)], ids=str)
@pytest.mark.parametrize("batches", [(0,), (4,), (8,), (0, 1, 4, 5, 8), tuple(range(9))], ids=str)
def test_batches_that_cannot_be_proved_finite(batches, nan, policy, threads, monkeypatch):
    """They are trained on all the same, and give the bits of a plan that looks at the gradients themselves."""
    force(monkeypatch, ISAS[0], threads)
    x, y = unprovable(batches, nan)
    stepwise, none = fitted(x, y, policy, True, monkeypatch)
    swept, taken_over = fitted(x, y, policy, False, monkeypatch)
    assert swept == stepwise
    stops = min(nan, default=BATCHES) if policy == "raise" else BATCHES
    epochs = 1 if policy == "raise" and nan else 2
    careful = epochs * len({b for b in (*batches, *nan) if b < stops}) + (policy == "raise" and bool(nan))
    assert (none, taken_over) == (0, careful)
    assert (swept[2] and swept[2][0]) == (min(nan) if nan and policy == "raise" else None)
    assert fitted(x, y, policy, False, monkeypatch, together=False)[0] == swept


@pytest.mark.parametrize("force_threads", ["0", "1"])
def test_what_comes_after_a_skipped_update_is_done(force_threads, monkeypatch):
    """A metric may take longer than gradients and update; there it is behind them."""
    monkeypatch.setenv("FASTNN_FORCE_THREADS", force_threads)

    def spread(y_true, y_pred):
        for _ in range(3):
            y_pred = ops.tanh(y_pred - ops.mean(y_pred, axis=0))
        return ops.mean(ops.square(y_pred), axis=-1)

    def trained(step_by_step):
        with monkeypatch.context() as patch:
            if step_by_step:
                patch.setattr(execute, "plan", lambda recorded, force, *_, **__: plan(recorded, force, stepwise=True))
            model = fastnn.Sequential([Scale(input_shape=(20,))])
            model.compile(SGD(0.1), "mse", metrics=[spread])
            history = model.fit(X, poisoned_targets, batch_size=BATCH, verbose=0, on_nonfinite="skip", shuffle=False)
            return state(model), repr(history.history)

    poisoned_targets = X.copy()
    poisoned_targets[BATCH * BAD + 1] = np.nan
    assert trained(False) == trained(True)


class Scale(fastnn.layers.Layer):
    """A factor for each feature, whose gradient is no product of matrices."""

    def build(self, input_shape):
        self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")

    def call(self, x):
        return x * self.factor


@pytest.mark.parametrize("executor", [NativeExecutor, NumpyExecutor])
def test_a_check_stops_nothing_where_there_is_no_update(executor):
    recorder = Recorder(rows=2)
    x = recorder.rows_input("x", (1,))
    ops.check_finite(x)
    recorder.output(ops.relu(x), "y")
    data = {"x": np.array([[np.nan], [1], [2]], np.float32), "y": np.zeros((3, 1), np.float32)}
    iteration = np.zeros(1, np.int64)
    stepwise = executor is NumpyExecutor  # which looks at the memory between steps
    run = executor(plan(recorder.program(), stepwise=stepwise), []).run(
        data, np.array([0, 2]), np.array([2, 1]), iteration=iteration
    )
    assert (run.batches, run.skipped, iteration[0]) == (2, 0, 0)
    np.testing.assert_array_equal(data["y"], data["x"])
