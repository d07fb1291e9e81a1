"""`Variable.assign` in the call of a layer: a part of the training step, done at its end, if everything is finite."""

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, force
from own import FOUR_PARTS, float64

import fastnn
from fastnn import execute, layers, ops
from fastnn.errors import NonFiniteError
from fastnn.plan import plan

RNG = np.random.default_rng(17)
X = RNG.integers(-8, 9, (24, 3)).astype(np.float32)  # sums of small integers are exact
BATCH = 8
STEPS = [X[i : i + BATCH] for i in range(0, len(X), BATCH)]


class Keeping(layers.Layer):
    """Keeps something of the batches that it sees; `keep` says what, and `call` returns its inputs times a weight."""

    def __init__(self, keep, **kwargs):
        super().__init__(**kwargs)
        self.keep = keep

    def build(self, input_shape):
        self.weight = self.add_weight((), "ones", name="weight")
        self.a = self.add_weight(input_shape[1:], "zeros", trainable=False, name="a")
        self.b = self.add_weight(input_shape[1:], "ones", trainable=False, name="b")

    def call(self, x, training=None):
        if training:
            self.keep(self, x)
        return x * self.weight


def total(layer, x):
    layer.a.assign_add(ops.sum(x, axis=0))


def twice(layer, x):
    layer.a.assign_add(ops.sum(x, axis=0))
    layer.a.assign_sub(2)
    layer.b.assign(layer.a)  # which still has its old value


def swapped(layer, x):
    old = layer.a, layer.b
    layer.a.assign(old[1])
    layer.b.assign(old[0] * 1.0)


def turned(layer, x):
    layer.a.assign(layer.b[::-1])
    layer.b.assign(layer.a + layer.b)


def constant(layer, x):
    layer.a.assign([1.0, 2.0, 3.0])
    layer.b.assign(np.float64(2) * np.arange(3))


def of_the_weight(layer, x):
    layer.a.assign(ops.zeros_like(layer.a) + layer.weight)


def expected(keep, batches, a, b, weights=()):
    """What a and b are after some batches, in NumPy."""
    for x, weight in zip(batches, [*weights] or [1.0] * len(batches), strict=True):
        if keep is total:
            a = a + x.sum(0)
        elif keep is twice:
            a, b = a + x.sum(0) - 2, a
        elif keep is swapped:
            a, b = b, a
        elif keep is turned:
            a, b = b[::-1], a + b
        elif keep is constant:
            a, b = np.array([1.0, 2.0, 3.0]), 2.0 * np.arange(3)
        else:
            a = np.full(3, weight)
    return a, b


KEEP = [total, twice, swapped, turned, constant, of_the_weight]


def compiled(*stack, loss="mae", rate=0.125):
    model = fastnn.Sequential([layers.Input((3,)), *stack])
    model.compile(fastnn.optimizers.SGD(rate), loss)
    return model


def fit(model, x=X, y=X, **arguments):
    return model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, **arguments)


def as_stepwise(patch):
    """Have every step run alone, with exact checks, as the batches do that cannot be proved finite."""
    patch.setattr(execute, "plan", lambda recorded, force, *_, **__: plan(recorded, force, stepwise=True))


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("keep", KEEP, ids=lambda keep: keep.__name__)
def test_a_step_assigns_at_its_end(keep, stepwise, monkeypatch):
    if stepwise:
        as_stepwise(monkeypatch)
    for isa, threads in [(ISAS[0], 1), (ISAS[0], 3), (ISAS[-1], 2)]:
        force(monkeypatch, isa, threads)
        layer = Keeping(keep)
        model, weights = compiled(layer), []
        for x in STEPS:
            weights.append(float(layer.weight))  # of before the step
            model.train_on_batch(x, 0 * x)
        want = expected(keep, STEPS, np.zeros(3), np.ones(3), weights)
        for variable, value in zip((layer.a, layer.b), want, strict=True):
            np.testing.assert_array_equal(variable.numpy(), np.float32(value))
        before = [v.numpy() for v in layer.variables]
        model.evaluate(X, X, verbose=0)
        model.predict(X)
        assert all(np.array_equal(v, w) for v, w in zip(before, layer.get_weights(), strict=True))


@pytest.mark.parametrize("keep", KEEP[:5], ids=lambda keep: keep.__name__)
def test_on_arrays_it_is_done_at_once(keep):
    """Then a read sees the new value, as in Keras; so `twice`, `swapped` and `turned` give something else."""
    layer = Keeping(keep)
    for x in STEPS:
        layer(x, training=True)
    if keep in (total, constant):
        want = expected(keep, STEPS, np.zeros(3), np.ones(3))
        assert [layer.a.numpy().tolist(), layer.b.numpy().tolist()] == [np.float32(w).tolist() for w in want]
    if keep is twice:
        assert np.array_equal(layer.a, layer.b)


def test_in_float64_as_in_c():
    with float64():
        layer = Keeping(total)
        fit(compiled(layer))
    np.testing.assert_array_equal(layer.a.numpy(), X.sum(0))


class Twice(layers.Layer):
    """Calls a layer twice, the second time on twice the inputs."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, x, training=None):
        return self.inner(x, training=training) + self.inner(2 * x, training=training)


def test_a_later_call_of_a_shared_layer_goes_on_from_the_value_of_the_first():
    inner = Keeping(lambda layer, x: layer.a.assign(layer.a * 0.5 + ops.mean(x, axis=0)))
    fit(compiled(Twice(inner)))
    a = np.zeros(3)
    for x in STEPS:
        for part in (x, 2 * x):
            a = a * 0.5 + part.mean(0)
    np.testing.assert_array_equal(inner.a.numpy(), np.float32(a))  # of eight numbers the mean is exact


# Batches that are not finite

BAD = 1


def poisoned(value=np.nan):
    x = X.copy()
    x[BATCH * BAD + 2, 1] = value
    return x


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("threads", THREADS[:2])
@pytest.mark.parametrize("policy", ["raise", "skip"])
def test_a_batch_that_is_not_finite_assigns_nothing(policy, threads, stepwise, monkeypatch):
    force(monkeypatch, ISAS[0], threads)
    if stepwise:
        as_stepwise(monkeypatch)
    layer = Keeping(total)
    model = compiled(layer)
    if policy == "raise":
        with pytest.raises(NonFiniteError, match="step 1"):
            fit(model, poisoned())
        assert model.optimizer.iterations == BAD
    else:
        fit(model, poisoned(), on_nonfinite="skip")
    np.testing.assert_array_equal(
        layer.a.numpy(), sum(x.sum(0) for x in (STEPS[:1] if policy == "raise" else STEPS[::2]))
    )


def test_a_value_that_is_not_finite_counts_as_a_batch_that_is_not():
    """Though loss and gradients are."""
    layer = Keeping(lambda layer, x: layer.a.assign(ops.sum(x, axis=0) * 1e38))
    model = compiled(layer)
    with pytest.raises(NonFiniteError, match="step 0"):
        fit(model, 1 + np.abs(X))
    assert not layer.a.numpy().any() and float(layer.weight) == 1
    fit(model, 1 + np.abs(X), on_nonfinite="ignore")
    assert np.isinf(layer.a.numpy()).all()


# In a training loop of one's own


def test_value_and_grad_assigns_too():
    layer = Keeping(total)
    layer.build((None, 3))
    step = fastnn.value_and_grad(lambda x: ops.sum(layer(x, training=True)), [layer.weight])
    for x in STEPS:
        value, (gradient,) = step(x)
        assert value == gradient == x.sum()
    np.testing.assert_array_equal(layer.a.numpy(), X.sum(0))
    value, _ = step(poisoned()[BATCH : 2 * BATCH])
    assert np.isnan(value)
    np.testing.assert_array_equal(layer.a.numpy(), X.sum(0))


def test_outside_of_layers_it_is_the_same():
    v = fastnn.Variable(np.zeros(3))

    def function(x):
        v.assign_add(ops.sum(x, axis=0))
        v.assign_add(1)
        return x * v

    step = fastnn.value_and_grad(function, [0])
    assert not step(STEPS[0])[0].any()  # the value of before
    np.testing.assert_array_equal(v.numpy(), STEPS[0].sum(0) + 1)


# Wrong calls


@pytest.mark.parametrize(
    ("keep", "error", "says"),
    [
        (lambda layer, x: layer.a.assign(x), ValueError, r"keeping.*/a'.*shape \(3,\)"),
        (lambda layer, x: layer.a.assign(1.0), ValueError, r"/a'.*shape \(3,\)"),
        (lambda layer, x: layer.a.assign(None), ValueError, r"/a'.*shape \(3,\)"),
        (lambda layer, x: layer.a.assign("no"), TypeError, "received 'no'"),
        (lambda layer, x: layer.count.assign_add(1), ValueError, "int32.*floating dtype"),
    ],
    ids=["batch", "number", "none", "string", "integers"],
)
def test_wrong_assignments_name_the_variable_and_change_nothing(keep, error, says):
    layer = Keeping(keep)
    layer.count = fastnn.Variable(0, False, "count", "int32")
    model = compiled(layer)
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises(error, match=says) as caught:
        fit(model)
    assert FOUR_PARTS.fullmatch(str(caught.value))
    assert [w.tobytes() for w in model.get_weights()] == before and model.optimizer.iterations == 0


def test_build_assigns_at_once():
    """Also where a layer is built while another one is recorded."""

    class Building(layers.Layer):
        def build(self, input_shape):
            self.v = self.add_weight(input_shape[1:], "zeros", trainable=False)
            self.v.assign(np.arange(3.0))

        def call(self, x):
            return x + self.v

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Building()

        def call(self, x):
            return self.inner(x)

    model = fastnn.Sequential([layers.Input((3,)), Outer()])
    np.testing.assert_array_equal(model.predict(X), X + np.arange(3))
