"""Steps in plain NumPy, `ops.python`: their values and gradients, the memory they see, and what their errors leave."""

import threading

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, force, plan_lines, state
from own import FOUR_PARTS, assert_rounds_like, example, float64, in_float64

import fastnn
from fastnn import layers, ops, optimizers
from fastnn.errors import NonFiniteError

RNG = np.random.default_rng(12)
X = RNG.standard_normal((45, 5)).astype(np.float32)
Y = np.sin(X[:, :3] + X[:, 2:]).astype(np.float32)


@pytest.fixture(autouse=True)
def one_thread():
    """Where a test does not force more: one thread waits for no other where the machine is busy."""
    with fastnn.threads(1):
        yield


def tanh(x):
    return np.tanh(x)


def tanh_gradient(dy, x):
    return dy * (1 - np.tanh(x) ** 2)


class Python(layers.Layer):
    """A function of one array, and its gradient."""

    def __init__(self, function=tanh, gradient=tanh_gradient, **kwargs):
        super().__init__(**kwargs)
        self.function, self.gradient = function, gradient

    def call(self, inputs):
        return ops.python(self.function, inputs, gradient=self.gradient)


class Softplus(layers.Layer):
    """That of the example, with ops."""

    def build(self, input_shape):
        self.beta = self.add_weight(shape=(), initializer="ones", name="beta")

    def call(self, inputs):
        return ops.softplus(inputs * self.beta) / self.beta


def net(*middle, **compiled):
    """The layers between dropout and the last one; two segments of C and one step in Python, forwards."""
    fastnn.set_random_seed(5)
    model = fastnn.Sequential([layers.Dense(8, input_shape=(5,)), layers.Dropout(0.2)])
    for layer in (*middle, layers.Dense(3, name="last")):
        model.add(layer)
    model.compile(**{"optimizer": optimizers.Adam(0.01), "loss": "mse", **compiled})
    return model


def fit(model, x=X, y=Y, **arguments):
    return model.fit(x, y, **{"batch_size": 16, "epochs": 3, "verbose": 0, **arguments}).history


def trained(make):
    model = net(make())
    loss = fit(model)["loss"]
    return [*model.get_weights(), loss, model.predict(X), [model.evaluate(X, Y, verbose=0)]]


# Values and gradients


def test_a_step_in_numpy_trains_as_the_built_in_activation():
    """tanh of NumPy and of the C core, between dropout and a dense layer, with short last batches."""
    built_in = lambda: layers.Activation("tanh")  # noqa: E731
    assert_rounds_like(trained(Python), trained(built_in), in_float64(trained, built_in))
    plan = net(Python(name="mine")).describe()
    assert ", 3 segments in C," in plan.splitlines()[0]
    marked = [(line["operation"], line["layer"]) for line in plan_lines(plan) if line["threads"] == "Python"]
    assert marked == [("python", "mine"), ("python", "mine")] and "function=tanh_gradient" in plan


def test_a_step_of_several_inputs_gives_each_its_gradient():
    """The sharpness of the example's softplus is trained through NumPy as through ops."""
    own = example("numpy_layer").Softplus
    assert_rounds_like(trained(own), trained(Softplus), in_float64(trained, Softplus))
    run = [
        trained(lambda make=make: make(trainable=False)) for make in (own, lambda **k: layers.Activation("softplus"))
    ]
    assert float(run[0].pop(2)) == 1  # beta: softplus(1 x) / 1 is the activation
    exact = in_float64(trained, lambda: layers.Activation("softplus"))
    assert_rounds_like(*run, exact)


def test_a_step_may_compute_a_loss_or_a_metric_and_take_constants():
    def squares(y_true, y_pred, scale):
        return np.mean(scale * (y_true - y_pred) ** 2, axis=-1)

    def gradient(dy, y_true, y_pred, scale):
        slope = 2 * scale * (y_pred - y_true) / y_pred.shape[-1] * dy[:, None]
        return None, slope, None

    def loss(y_true, y_pred):
        scale = np.full(3, 0.5, np.float32)
        return ops.python(squares, y_true, y_pred, scale, shape=(-1,), gradient=gradient)

    run = lambda loss, factor: (fit(net(loss=loss, optimizer=optimizers.SGD(0.2 * factor)))["loss"],)  # noqa: E731
    assert_rounds_like([2 * np.array(run(loss, 2))], run("mse", 1), in_float64(run, "mse", 1))


def test_a_step_works_in_float64_and_on_arrays():
    assert np.array_equal(Python()(X), np.tanh(X))
    with float64():
        model = net(Python())
        wide = X.astype(np.float64)
        dense, last = model.layers[0], model.layers[-1]
        wanted = np.tanh(wide @ dense.kernel.value + dense.bias.value) @ last.kernel.value + last.bias.value
        assert np.allclose(model.predict(wide), wanted, rtol=1e-14)


@pytest.mark.parametrize("isa", ISAS)
def test_results_do_not_depend_on_the_number_of_threads(isa, monkeypatch):
    found = []
    for threads in THREADS:
        force(monkeypatch, isa, threads)
        with fastnn.threads(threads):
            model = net(Python())
            found.append((fit(model), state(model), model.predict(X).tobytes(), model.evaluate(X, Y, verbose=0)))
    assert all(other == found[0] for other in found[1:])


# Memory


def inside(view, arrays):
    return any(np.shares_memory(view, array) for array in arrays)


def test_inputs_are_read_only_views_of_the_memory_itself():
    seen = []

    def look(x, w):
        seen.append((x, w))
        return np.tanh(x * w)

    class Looking(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(input_shape[-1:], "ones")

        def call(self, x):
            return ops.python(look, x, self.w, gradient=lambda dy, x, w: (dy, None))

    model = net(Looking())
    fit(model, epochs=1)
    model.predict(X, batch_size=20)
    w = model.layers[2].w.value
    memory = [array for e in model._executors.values() for _, own, _ in e._workspaces for array in own.values()]
    assert [x.shape for x, _ in seen] == [(16, 8), (16, 8), (13, 8), (20, 8), (20, 8), (5, 8)]
    for x, weight in seen:
        assert x.dtype == np.float32 and inside(x, memory) and np.shares_memory(weight, w)
        assert not (x.flags.writeable or weight.flags.writeable or x.flags.owndata)
        with pytest.raises(ValueError, match="read-only"):
            x[0] = 0
    # The first step of a model sees the user's own array.
    seen.clear()
    first = fastnn.Sequential([layers.Input((5,)), Python(lambda x: look(x, 1))])
    first.predict(X, batch_size=20)
    assert [x.shape for x, _ in seen] == [(20, 5), (20, 5), (5, 5)] and all(np.shares_memory(x, X) for x, _ in seen)


def changes_its_input(x):
    x *= 2
    return x


@pytest.mark.parametrize("where", ["C", "float64", "arrays"])
def test_inputs_cannot_be_changed(where):
    def run():
        model = net(Python(changes_its_input))
        return Python(changes_its_input)(X.copy()) if where == "arrays" else model.predict(X)

    with pytest.raises(ValueError, match="read-only"):
        in_float64(run) if where == "float64" else run()


def test_two_threads_predict_at_the_same_time():
    """Each sees its own batch, though both are inside the function at once."""
    meet = None

    def function(x):
        before = x.copy()
        if meet:
            meet.wait(30)
        assert np.array_equal(before, x)
        return np.tanh(x)

    model = net(Python(function))
    inputs = [X[:8], X[8:16], X[16:24], X[24:32]]
    wanted = [model.predict(x, batch_size=2) for x in inputs]
    meet, found = threading.Barrier(len(inputs)), [None] * len(inputs)

    def predict(i):
        with fastnn.threads(1):
            found[i] = model.predict(inputs[i], batch_size=2)

    threads = [threading.Thread(target=predict, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


# Values that are not finite


def nan_for_large(x):
    return np.where(np.abs(x) > 1e6, np.nan, np.tanh(np.minimum(np.abs(x), 9) * np.sign(x)))


def poisoned():
    """The third of five batches of nine rows makes a NaN."""
    x = X.copy()
    x[20] = 1e9
    return x


def policy_net():
    return net(Python(nan_for_large, lambda dy, x: dy * (1 - np.tanh(x) ** 2), name="mine"))


def test_raise_names_the_step_and_leaves_the_weights_before_it():
    model, twin = policy_net(), policy_net()
    with pytest.raises(NonFiniteError, match="first in python of layer 'mine'") as caught:
        fit(model, poisoned(), batch_size=9, shuffle=False)
    fit(twin, X[:18], Y[:18], batch_size=9, shuffle=False, epochs=1)
    assert (caught.value.step, caught.value.layer) == (2, "mine") and state(model) == state(twin)
    assert fit(model) == fit(twin) and state(model) == state(twin)


def test_skip_leaves_out_the_update_and_ignore_goes_on():
    model, twin = policy_net(), policy_net()
    fit(model, poisoned(), batch_size=9, shuffle=False, epochs=1, on_nonfinite="skip")
    fit(twin, X[:18], Y[:18], batch_size=9, shuffle=False, epochs=1)
    twin.optimizer.iterations += 1
    fit(twin, X[27:], Y[27:], batch_size=9, shuffle=False, epochs=1)
    assert state(model) == state(twin) and model.optimizer.iterations == 5
    fit(model, poisoned(), batch_size=9, shuffle=False, epochs=1, on_nonfinite="ignore")
    assert all(np.isnan(w).any() for w in model.get_weights()) and model.optimizer.iterations == 10


def test_an_optimizer_in_numpy_takes_the_steps_of_the_built_in_one_and_none_where_a_gradient_is_not_finite():
    calls = 0

    def descend(w, g, rate):
        nonlocal calls
        calls += 1
        return w - rate * g

    class InNumPy(optimizers.Optimizer):
        def update(self, w, g, slots, scalars):
            return ops.python(descend, w, g, scalars)

    run = lambda kind: [*(model := net(optimizer=kind(0.1))).get_weights(), fit(model)["loss"], *model.get_weights()]  # noqa: E731
    assert_rounds_like(run(InNumPy), run(optimizers.SGD), in_float64(run, optimizers.SGD))
    assert calls == 3 * 3 * 4  # epochs, batches, variables
    model, twin = net(optimizer=InNumPy(0.1)), net(optimizer=InNumPy(0.1))
    x = X.copy()
    x[20] = np.nan
    fit(twin, X[:16], Y[:16], epochs=1, shuffle=False)
    calls = 0
    with pytest.raises(NonFiniteError):
        fit(model, x, shuffle=False)
    assert calls == 4 and state(model) == state(twin)
    fit(model, x, epochs=1, shuffle=False, on_nonfinite="skip")
    assert calls == 4 + 2 * 4 and model.optimizer.iterations == 1 + 3


# Errors


def test_a_loss_cannot_depend_on_a_step_without_a_gradient():
    model = net(Python(tanh, gradient=None, name="mine"))
    before = state(model)
    for call in (lambda: fit(model), lambda: model.train_on_batch(X, Y), lambda: differentiate(model)):
        with pytest.raises(TypeError, match=r"ops.python\(tanh\): received a loss that depends on it") as caught:
            call()
        assert FOUR_PARTS.fullmatch(str(caught.value)) and state(model) == before
    assert np.isfinite(model.evaluate(X, Y, verbose=0)) and model.predict(X).shape == (45, 3)
    model.layers[0].trainable = False  # then no gradient passes through it
    fit(model)
    assert state(model) != before


def differentiate(model):
    return fastnn.value_and_grad(lambda x: ops.sum(model(x)), [0])(X)


WRONG = {
    "shape": (lambda a: a[:, :2], "an array of shape (16, 2)"),
    "rows": (lambda a: a[:-1], "an array of shape (15, 8)"),
    "scalar": (lambda a: 0.0, "0.0 (float)"),
    "complex": (lambda a: a * 1j, "dtype complex64"),
    "text": (lambda a: np.full(a.shape, "a"), "dtype <U1"),
    "objects": (lambda a: a.astype(object), "dtype object"),
    "two": (lambda a: (a, a), "float32 and an array"),
    "none of them": (lambda a: (), "nothing"),
}


@pytest.mark.parametrize("where", ["function", "gradient"])
@pytest.mark.parametrize("kind", [*WRONG, "nothing"])
def test_wrong_results_are_refused_before_a_weight_changes(kind, where):
    """And the model is as good as before: on a retry it trains to the bits of a twin that met no error."""
    wrong, says = WRONG.get(kind, (lambda a: None, "None (NoneType)"))
    fails = True

    def function(x):
        return wrong(x) if fails and where == "function" else np.tanh(x)

    def gradient(dy, x):
        return wrong(dy) if fails and where == "gradient" else tanh_gradient(dy, x)

    model, twin = net(Python(function, gradient, name="mine")), net(Python())
    before = state(model)
    if (kind, where) == ("nothing", "gradient"):  # None is a gradient of zeros
        kernel, last = model.layers[0].get_weights()[0], model.layers[-1].get_weights()[0]
        fit(model)
        assert np.array_equal(kernel, model.layers[0].get_weights()[0])
        assert not np.array_equal(last, model.layers[-1].get_weights()[0])
        return
    for call in (lambda: fit(model), lambda: model.train_on_batch(X[:16], Y[:16])):
        with pytest.raises(ValueError, match=rf"layer 'mine', result of {where}: ") as caught:
            call()
        assert FOUR_PARTS.fullmatch(str(caught.value)) and says in str(caught.value)
        assert "shape (16, 8)" in str(caught.value).partition("expected")[2] and state(model) == before
    fails = False
    assert fit(model) == fit(twin) and state(model) == state(twin)


@pytest.mark.parametrize("where", ["function", "gradient"])
def test_an_exception_of_its_own_passes_and_leaves_whole_steps(where):
    """In the third batch: two steps have been taken, and a retry goes on as a twin that took two."""
    left = {"function": -1, "gradient": -1}

    def counted(name, result):
        left[name] -= 1
        if left[name] == 0:
            raise LookupError("its own")
        return result

    model = net(
        Python(lambda x: counted("function", np.tanh(x)), lambda dy, x: counted("gradient", tanh_gradient(dy, x)))
    )
    twin = net(Python())
    left[where] = 3
    with pytest.raises(LookupError, match="its own"):
        fit(model, shuffle=False)
    fit(twin, X[:32], Y[:32], shuffle=False, epochs=1)
    assert state(model) == state(twin) and model.optimizer.iterations == 2
    assert fit(model) == fit(twin) and state(model) == state(twin)


def test_an_exception_in_a_loop_of_ones_own_passes():
    fails = True

    def function(x):
        if fails:
            raise LookupError("its own")
        return np.tanh(x)

    own, built_in = (
        fastnn.value_and_grad(lambda x, f=f: ops.sum(f(x)), [0])
        for f in (lambda x: ops.python(function, x, gradient=tanh_gradient), ops.tanh)
    )
    with pytest.raises(LookupError, match="its own"):
        own(X)
    fails = False
    for ours, twin in zip(own(X)[1], built_in(X)[1], strict=True):
        # Each tanh within 2 ulp, and the roundings of 1 - y^2.
        assert np.abs(ours - twin).max() <= 8 * np.finfo(np.float32).eps


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: ops.python("tanh", X), TypeError, "function: received 'tanh'"),
        (lambda: ops.python(tanh, X, gradient=1), TypeError, "gradient: received 1"),
        (lambda: ops.python(tanh), TypeError, "inputs: received none"),
        (lambda: ops.python(tanh, X, shape=(45, 2)), ValueError, "result of tanh: received an array of shape"),
    ],
)
def test_wrong_arguments(call, error, says):
    with pytest.raises(error, match=says) as caught:
        call()
    assert FOUR_PARTS.fullmatch(str(caught.value))
