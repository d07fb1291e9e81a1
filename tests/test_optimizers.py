"""Optimizers beside plain float64 formulas, PyTorch and each other's ways to take a step."""

import inspect
import itertools
import math

import graphs
import numpy as np
import pytest

import fastnn
from fastnn import layers, losses, optimizers, schedules
from fastnn.variable import Variable

STEPS = 12


def gradients(seed=0, shape=(3, 5)):
    """Gradients of some steps; signs change now and then, some are 0."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((STEPS, *shape)) + 0.5
    found[4, 0] = 0.0
    return found


# Plain formulas: one step of (w, g, state, t, lr), with t counted from 1


def sgd(w, g, s, t, lr, momentum=0.0, nesterov=False):
    m = s["m"] = momentum * s.get("m", 0) - lr * g
    return w + (momentum * m - lr * g if nesterov else m)


def rmsprop(w, g, s, t, lr, rho=0.9, epsilon=1e-7):
    v = s["v"] = rho * s.get("v", 0) + (1 - rho) * g**2
    return w - lr * g / np.sqrt(v + epsilon)


def adam(w, g, s, t, lr, b1=0.9, b2=0.999, epsilon=1e-7):
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    return w - lr * math.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + epsilon)


def adamax(w, g, s, t, lr, b1=0.9, b2=0.999, epsilon=1e-7):
    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    u = s["u"] = np.maximum(b2 * s.get("u", 0), np.abs(g))
    return w - lr / (1 - b1**t) * m / (u + epsilon)


def nadam(w, g, s, t, lr, b1=0.9, b2=0.999, epsilon=1e-7):
    def u(t):
        return b1 * (1 - 0.5 * 0.96**t)

    m = s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    v = s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    product = math.prod(u(i) for i in range(1, t + 1))
    ahead = u(t + 1) * m / (1 - product * u(t + 1)) + (1 - u(t)) * g / (1 - product)
    return w - lr * ahead / (np.sqrt(v / (1 - b2**t)) + epsilon)


def adagrad(w, g, s, t, lr, first=0.1, epsilon=1e-7):
    a = s["a"] = s.get("a", first) + g**2
    return w - lr * g / np.sqrt(a + epsilon)


def adadelta(w, g, s, t, lr, rho=0.95, epsilon=1e-7):
    a = s["a"] = rho * s.get("a", 0) + (1 - rho) * g**2
    d = np.sqrt(s.get("b", 0) + epsilon) / np.sqrt(a + epsilon) * g
    s["b"] = rho * s.get("b", 0) + (1 - rho) * d**2
    return w - lr * d


def ftrl(w, g, s, t, lr, power=-0.5, first=0.1, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0):
    before = s.get("n", first)
    n = s["n"] = before + g**2
    z = s["z"] = s.get("z", 0) + g + 2 * shrinkage * w - (n**-power - before**-power) / lr * w
    return np.where(np.abs(z) <= l1, 0, (np.sign(z) * l1 - z) / ((beta + n**-power) / lr + 2 * l2))


def lion(w, g, s, t, lr, b1=0.9, b2=0.99):
    m = s.get("m", 0)
    s["m"] = b2 * m + (1 - b2) * g
    return w - lr * np.sign(b1 * m + (1 - b1) * g)


def rprop(w, g, s, t, lr, decrease=0.5, increase=1.2, low=1e-6, high=50.0):
    size, before = s.get("size", np.full_like(w, lr)), s.get("g", np.zeros_like(w))
    changed = g * before < 0
    s["size"] = np.clip(size * np.where(changed, decrease, np.where(g * before > 0, increase, 1)), low, high)
    s["g"] = np.where(changed, 0, g)
    return w - np.sign(s["g"]) * s["size"]


CASES = [
    (sgd, optimizers.SGD, {}, {}),
    (sgd, optimizers.SGD, {"momentum": 0.9}, {"momentum": 0.9}),
    (sgd, optimizers.SGD, {"momentum": 0.8, "nesterov": True}, {"momentum": 0.8, "nesterov": True}),
    (rmsprop, optimizers.RMSprop, {"rho": 0.8}, {"rho": 0.8}),
    (adam, optimizers.Adam, {"beta_1": 0.7, "beta_2": 0.9}, {"b1": 0.7, "b2": 0.9}),
    (adamax, optimizers.Adamax, {"beta_1": 0.7, "beta_2": 0.9}, {"b1": 0.7, "b2": 0.9}),
    (nadam, optimizers.Nadam, {"beta_1": 0.7, "beta_2": 0.9}, {"b1": 0.7, "b2": 0.9}),
    (adagrad, optimizers.Adagrad, {"initial_accumulator_value": 0.3}, {"first": 0.3}),
    (adadelta, optimizers.Adadelta, {"rho": 0.8, "epsilon": 1e-3}, {"rho": 0.8, "epsilon": 1e-3}),
    (ftrl, optimizers.Ftrl, {}, {}),
    (
        ftrl,
        optimizers.Ftrl,
        {
            "learning_rate_power": -0.3,
            "l1_regularization_strength": 0.4,
            "l2_regularization_strength": 0.2,
            "l2_shrinkage_regularization_strength": 0.1,
            "beta": 0.5,
        },
        {"power": -0.3, "l1": 0.4, "l2": 0.2, "shrinkage": 0.1, "beta": 0.5},
    ),
    (lion, optimizers.Lion, {"beta_1": 0.7, "beta_2": 0.9}, {"b1": 0.7, "b2": 0.9}),
    (rprop, optimizers.Rprop, {}, {}),
]
IDS = [f"{case[1].__name__}{''.join(f'-{k}' for k in case[2])}"[:40] for case in CASES]
CLASSES = [
    cls
    for cls in vars(optimizers).values()
    if inspect.isclass(cls)
    and issubclass(cls, optimizers.Optimizer)
    and cls is not optimizers.Optimizer
    and not cls.searches  # test_lbfgs.py
]


@pytest.mark.parametrize(("formula", "cls", "options", "constants"), CASES, ids=IDS)
def test_formula(formula, cls, options, constants):
    optimizer, expected, state = cls(0.05, **options), np.linspace(-1, 1, 15).reshape(3, 5), {}
    w = Variable(expected, dtype="float64")
    for t, g in enumerate(gradients(), 1):
        optimizer.apply_gradients([(g, w)])
        expected = formula(expected, g, state, t, 0.05, **constants)
        np.testing.assert_allclose(w.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_every_class_has_its_formula():
    assert {case[1] for case in CASES} | {optimizers.AdamW} == set(CLASSES)


# What all have in common


def stepped(optimizer, steps=4, shape=(3, 5), count=2):
    """Two variables after some steps, and what each step began with."""
    w = [Variable(np.linspace(-1, 1, 15).reshape(shape) * (i + 1), dtype="float64") for i in range(count)]
    found = [[v.numpy() for v in w]]
    for gs in itertools.islice(zip(gradients(1), gradients(2), strict=True), steps):
        optimizer.apply_gradients(list(zip(gs, w, strict=True)))
        found.append([v.numpy() for v in w])
    return w, found


def test_weight_decay_comes_before_the_update():
    _, plain = stepped(optimizers.SGD(0.1))
    _, decayed = stepped(optimizers.SGD(0.1, weight_decay=0.3))
    for i in range(2):
        expected = plain[0][i]
        for t in range(4):
            expected = expected * (1 - 0.1 * 0.3) + (plain[t + 1][i] - plain[t][i])
        np.testing.assert_allclose(decayed[4][i], expected, rtol=1e-12)


def test_weight_decay_leaves_out_what_is_excluded():
    named = [Variable([1.0], name="kernel"), Variable([1.0], name="bias"), Variable([1.0], name="gamma")]
    optimizer = optimizers.AdamW(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[named[2]], var_names=["bias"])
    optimizer.apply_gradients([([0.0], v) for v in named])
    assert [float(v.numpy()[0]) for v in named] == [0.75, 1.0, 1.0]


def test_clipping():
    g, h = np.array([3.0, 4.0]), np.array([0.0, 12.0])
    for options, expected in [
        ({"clipvalue": 3.5}, ([3.0, 3.5], [0.0, 3.5])),
        ({"clipnorm": 10.0}, (g, h * 10 / 12)),
        ({"clipnorm": 1.0}, (g / 5, h / 12)),
        ({"global_clipnorm": 6.5}, (g / 2, h / 2)),
        ({"global_clipnorm": 14.0}, (g, h)),
    ]:
        v, w = Variable([0.0, 0.0], dtype="float64"), Variable([0.0, 0.0], dtype="float64")
        optimizers.SGD(1.0, **options).apply_gradients([(g, v), (h, w)])
        np.testing.assert_allclose([-v.numpy(), -w.numpy()], expected, rtol=1e-12, err_msg=str(options))


def test_a_gradient_of_zeros_is_not_divided_by_its_norm():
    v = Variable([1.0, 2.0])
    optimizers.SGD(1.0, clipnorm=1.0).apply_gradients([([0.0, 0.0], v)])
    assert v.numpy().tolist() == [1.0, 2.0]


@pytest.mark.parametrize("frequency", [None, 3])
def test_running_mean_of_weights(frequency):
    options = {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": frequency}
    optimizer = optimizers.SGD(0.1, **options)
    w = Variable([1.0], dtype="float64")
    expected, mean = 1.0, None
    for t, g in enumerate([3.0, -1.0, 2.0, 4.0], 1):
        optimizer.apply_gradients([([g], w)])
        expected -= 0.1 * g
        mean = expected if mean is None else 0.5 * mean + 0.5 * expected
        if frequency and t % frequency == 0:
            expected = mean
        np.testing.assert_allclose(w.numpy(), expected, rtol=1e-14)
    optimizer.finalize_variable_values([w])
    np.testing.assert_allclose(w.numpy(), mean, rtol=1e-14)


def test_a_missing_gradient_warns_and_leaves_its_variable():
    v, w = Variable([1.0], name="a"), Variable([1.0], name="b")
    with pytest.warns(UserWarning, match="no gradients for the variables b"):
        optimizers.SGD(0.5).apply([[1.0], None], [v, w])
    assert (float(v.numpy()[0]), float(w.numpy()[0])) == (0.5, 1.0)


def test_built_variables_need_not_be_named_again():
    v = Variable([1.0])
    optimizer = optimizers.SGD(0.25)
    optimizer.build([v])
    optimizer.apply([[2.0]])
    assert float(v.numpy()[0]) == 0.5


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_configurations(cls):
    rate = 0.05 if cls is optimizers.Rprop else schedules.CosineDecay(0.1, 5)
    made = cls(rate, weight_decay=0.01, clipnorm=2.0, use_ema=True, ema_momentum=0.7, name="mine")
    again = optimizers.deserialize(optimizers.serialize(made))
    assert type(again) is cls and again.get_config() == made.get_config()
    for found, expected in zip(stepped(made)[1][-1], stepped(again)[1][-1], strict=True):
        assert found.tobytes() == expected.tobytes()


# Training


OPTIONS = [
    {},
    {"weight_decay": 0.1},
    {"clipnorm": 0.05},
    {"clipvalue": 0.01},
    {"global_clipnorm": 0.05},
    {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 2, "global_clipnorm": 0.05, "weight_decay": 0.1, "use_ema": True},
]
X, Y = graphs.numbers(24, 4, stream=3), graphs.numbers(24, 2, stream=4)


def trained(cls, options, eagerly=False, epochs=3):
    fastnn.set_random_seed(3)
    model = fastnn.Sequential([layers.Dense(5, "tanh", input_shape=(4,)), layers.Dense(2)])
    model.compile(cls(0.02, **options), "mse", run_eagerly=eagerly)
    model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0)
    return model


def cases():
    return [
        pytest.param(cls, options, id=f"{cls.__name__}-{'-'.join(options)}")
        for cls in CLASSES
        for options in (OPTIONS if cls in (optimizers.SGD, optimizers.Adam, optimizers.Ftrl) else OPTIONS[:2])
    ]


@pytest.mark.parametrize(("cls", "options"), cases())
def test_training_in_c_is_that_in_numpy(cls, options):
    fast, slow = trained(cls, options), trained(cls, options, eagerly=True)
    # Nine steps of at most 0.02 times some units; signs and quotients of tiny gradients may carry one rounding far.
    for found, expected in zip(fast.get_weights(), slow.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(("cls", "options"), cases())
def test_equal_bits_for_any_number_of_threads(cls, options):
    found = []
    for threads in (1, 2, 3):
        fastnn.set_num_threads(threads)
        try:
            found.append([w.tobytes() for w in trained(cls, options).get_weights()])
        finally:
            fastnn.set_num_threads(None)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
def test_an_own_loop_takes_the_steps_of_fit(options):
    fitted = trained(optimizers.Adam, options, epochs=0)
    own = trained(optimizers.Adam, options, epochs=0)
    fitted.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    loss = losses.MeanSquaredError()
    step = fastnn.value_and_grad(lambda x, y: loss(y, own(x, training=True)), own.trainable_variables)
    for _ in range(3):
        for start in range(0, 24, 8):
            _, grads = step(X[start : start + 8], Y[start : start + 8])
            own.optimizer.apply(grads, own.trainable_variables)
    own.optimizer.finalize_variable_values(own.trainable_variables)
    for found, expected in zip(own.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_rprop_against_pytorch():
    torch = pytest.importorskip("torch")
    w = Variable(np.linspace(-1, 1, 15).reshape(3, 5), dtype="float64")
    parameter = torch.tensor(w.numpy(), requires_grad=True)
    ours, theirs = optimizers.Rprop(0.05), torch.optim.Rprop([parameter], lr=0.05)
    for g in gradients():
        ours.apply_gradients([(g, w)])
        parameter.grad = torch.tensor(g)
        theirs.step()
        np.testing.assert_allclose(w.numpy(), parameter.detach().numpy(), rtol=1e-12)


# Schedules


def test_cosine():
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        for turns in [*np.linspace(0, 1, 1001).tolist(), 1e-300, math.nextafter(0.25, 1), math.nextafter(1, 0)]:
            assert abs(schedules._cosine(turns) - mpmath.cos(mpmath.pi * mpmath.mpf(turns))) <= 4 * 2**-53
    assert (schedules._cosine(0.0), schedules._cosine(0.5), schedules._cosine(1.0)) == (1.0, 0.0, -1.0)


def test_one_cycle_against_pytorch():
    torch = pytest.importorskip("torch")
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=40, pct_start=0.3)
    ours = schedules.OneCycle(0.5, 40)
    for step in range(40):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        if step < 39:
            theirs.step()


def test_polynomial_decay_begins_anew():
    rate = schedules.PolynomialDecay(1.0, 10, 0.0, cycle=True)
    assert [rate(step) for step in (0, 10, 15, 20, 21)] == pytest.approx([1.0, 0.0, 0.25, 0.0, 0.3])


def test_restarts_of_cosine_decay():
    rate = schedules.CosineDecayRestarts(2.0, 10, t_mul=2.0, m_mul=0.5, alpha=0.1)
    for step in range(100):
        start, length, factor = 0, 10, 1.0
        while step >= start + length:
            start, length, factor = start + length, 2 * length, factor / 2
        fall = factor * (1 + math.cos(math.pi * (step - start) / length)) / 2
        assert rate(step) == pytest.approx(2 * (0.9 * fall + 0.1), rel=1e-12)
    equal = schedules.CosineDecayRestarts(1.0, 10, t_mul=1.0)
    assert equal(10**9 + 5) == pytest.approx(0.5)


@pytest.mark.parametrize("options", [{"weight_decay": 0.5}, {"use_ema": True, "ema_overwrite_frequency": 1}])
def test_a_variable_without_axes(options):
    class Scaled(layers.Layer):
        def build(self, input_shape):
            self.factor = self.add_weight((), "ones", name="factor")

        def call(self, x):
            return x * self.factor

    model = fastnn.Sequential([Scaled(input_shape=(4,))])
    model.compile(optimizers.SGD(0.0, **options), "mse")
    model.fit(X, X, batch_size=24, verbose=0)
    alone = Variable(1.0)
    optimizers.SGD(0.5, **options).apply([0.0], [alone])
    assert (model.layers[0].factor.numpy(), alone.numpy()) == (1.0, 0.75 if "weight_decay" in options else 1.0)
