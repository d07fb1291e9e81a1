"""fastnn.gradient_check: right gradients pass, planted wrong ones are found and named, nothing changes."""

import numpy as np
import pytest
from nets import class_patterns, five_layers, small_net
from own import example, float64
from test_wrong_calls import HOT, WEIGHTS, X, Y, model, state, train

import fastnn
from fastnn import activations, config, gradient_check, layers, losses, ops, regularizers
from fastnn.ops.philox import random_bits

RNG = np.random.default_rng(8)
DATA = RNG.standard_normal((10, 4))


def net(*inside, units=3, loss="mse", seed=1, **options):
    """4-5-...-units, compiled."""
    fastnn.set_random_seed(seed)
    first = layers.Dense(5, input_shape=(4,), name="first", bias_initializer="glorot_uniform")
    made = fastnn.Sequential([first, *inside, layers.Dense(units, name="last", **options)])
    made.compile("sgd", loss)
    return made


def targets(units=3):
    return RNG.standard_normal((10, units))


def wrong_names(result):
    return [name for name, check in result.variables.items() if not check.ok]


# Right gradients


def test_the_nets_of_the_tests():
    for made, (x, y) in ((small_net(), class_patterns(24, 20, 5)), (five_layers(), class_patterns(6))):
        result = gradient_check(made, x, y, samples=12)
        assert result.ok, result
        assert [*result.variables] == [v.path for v in made.trainable_variables]
        for variable, check in zip(made.trainable_variables, result.variables.values(), strict=True):
            drawn = 13 if variable.value.size > 12 else variable.value.size  # 12 elements and a direction
            assert check.compared + check.kinks == drawn and check.compared >= drawn - 1
        assert result.direction.compared + result.direction.kinks == 1


# Two that a name alone does not make, or not between these layers.
ACTIVATIONS = {name: name for name in activations.FUNCTIONS} | {
    "threshold": lambda x: activations.threshold(x, 0.1, -0.2),
    "glu": lambda x: activations.glu(ops.concatenate([x, ops.sin(x)])),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(name):
    result = gradient_check(net(layers.Activation(ACTIVATIONS[name]), units=2), DATA, targets(2))
    assert result.ok, result
    assert sum(check.kinks for check in result.variables.values()) <= 2  # none of them at a generic point, but for step
    assert result.variables["last/kernel"].compared >= 9


LOSSES = {
    "mean_squared_error": targets(),
    "mean_absolute_error": targets(),
    "binary_crossentropy": RNG.uniform(size=(10, 3)),
    "categorical_crossentropy": np.eye(3)[Y[:10]],
    "sparse_categorical_crossentropy": Y[:10],
}


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
@pytest.mark.parametrize("output", ["own", "none", "logits"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name, output, reduction):
    """Behind the activation that it goes with, on what an activation of no kind gives, and on logits."""
    entropy = "crossentropy" in name
    own = {"binary_crossentropy": "sigmoid"}.get(name, "softmax") if entropy else "tanh"
    made = net(activation={"own": own, "none": "exponential" if entropy else None, "logits": None}[output])
    options = {"from_logits": True} if entropy and output == "logits" else {}
    made.compile("sgd", type(losses.get(name))(reduction=reduction, **options))
    result = gradient_check(made, DATA, LOSSES[name])
    assert result.ok, result
    assert result.loss == pytest.approx(made.evaluate(DATA, LOSSES[name], verbose=0), rel=1e-5)


def test_every_loss_is_here():
    assert {*LOSSES} == {losses.get(name).name for name in losses.NAMES}


def test_own_layers_and_a_loss_of_the_batch():
    numpy_layer = example("numpy_layer")
    x = np.linspace(-3, 3, 9)
    made = fastnn.Sequential(
        [layers.Dense(4, input_shape=(1,)), numpy_layer.Softplus(name="softplus"), layers.Dense(1, activation="tanh")]
    )
    made.compile("adam", lambda y, p: ops.sum(ops.square(y - p)) / 7)
    result = gradient_check(made, x, np.abs(x))
    assert result.ok, result
    assert result.variables["softplus/beta"].compared == 1 and result.variables["softplus/beta"].shape == ()


def test_sample_weights_and_penalties_are_part_of_the_loss():
    made = net(kernel_regularizer=regularizers.L1L2(0.01, 0.02), bias_regularizer="l2")
    y, weights = targets(), np.linspace(0, 3, 10)
    result = gradient_check(made, DATA, y, weights)
    assert result.ok, result
    w1, b1, w2, b2 = (w.astype(np.float64) for w in made.get_weights())
    data = DATA.astype(np.float32).astype(np.float64)
    errors = np.square((data @ w1 + b1) @ w2 + b2 - y.astype(np.float32)).mean(1)
    penalty = 0.01 * np.abs(w2).sum() + 0.02 * (w2**2).sum() + 0.01 * (b2**2).sum()
    assert result.loss == pytest.approx((errors * weights.astype(np.float32)).sum() / 10 + penalty, rel=1e-12)


def test_dropout_has_the_mask_of_the_next_step():
    made = model()
    for _ in range(3):
        result = gradient_check(made, X, Y)
        assert result.ok, result
        assert result.loss == pytest.approx(made.train_on_batch(X, Y)[0], rel=1e-5)


def test_data_of_other_types():
    made = fastnn.Sequential([layers.Rescaling(1 / 255, input_shape=(4,)), layers.Dense(3, activation="softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy")
    result = gradient_check(made, random_bits(12, 4, 1, 0, 0).astype(np.uint8), Y.tolist())
    assert result.ok and result.samples == 12, result


def test_an_unbuilt_model_is_built_and_frozen_weights_are_left_out():
    made = fastnn.Sequential([layers.Dense(3, trainable=False), layers.Dense(2, name="last")])
    made.compile("sgd", "mse")
    result = gradient_check(made, DATA, targets(2))
    assert result.ok and [*result.variables] == ["last/kernel", "last/bias"], result


def test_layers_of_one_name_are_told_apart():
    parts = [fastnn.Sequential([layers.Dense(3, input_shape=(n,), name="same")]) for n in (4, 3)]
    made = fastnn.Sequential(parts)
    made.compile("sgd", "mse")
    result = gradient_check(made, DATA, targets())
    assert [*result.variables] == ["same/kernel", "same/bias", "same/kernel (2)", "same/bias (2)"], result


def test_training_in_float64_has_no_float32_to_compare():
    with float64():
        result = gradient_check(net(layers.Activation("tanh")), DATA, targets())
    assert result.ok and {check.float32 for check in result.variables.values()} == {None}


def test_large_variables_are_sampled():
    result = gradient_check(net(layers.Dense(30, activation="tanh")), DATA, targets(), samples=7)
    assert {name: check.compared for name, check in result.variables.items()} == {
        "first/kernel": 8,  # and a direction
        "first/bias": 5,
        **{name: 8 for name in result.variables if name.startswith("dense")},
        "last/kernel": 8,
        "last/bias": 3,
    }


def test_badly_scaled_weights_and_data():
    for factor in (1e-6, 1e3, 1e6):
        made = net(layers.Activation("softplus"))
        for variable in made.variables:
            variable.assign(variable.numpy() * (factor if variable.path == "first/kernel" else 1))
        result = gradient_check(made, DATA / factor, targets())
        assert result.ok, result
    made = net()
    assert gradient_check(made, 1e4 * DATA, 1e4 * targets()).ok
    assert gradient_check(made, DATA, made.predict(DATA)).ok  # a loss of 0


# Wrong ones


class Scaled(layers.Layer):
    """``scale * tanh(x)`` in NumPy, with errors planted into its gradients."""

    def __init__(self, by_input=lambda d: d, by_scale=lambda d: d, **kwargs):
        super().__init__(**kwargs)
        self.planted = by_input, by_scale

    def build(self, input_shape):
        self.scale = self.add_weight(input_shape[1:], "ones", name="scale")

    def call(self, x):
        def gradient(dy, x, scale):
            by_input, by_scale = self.planted
            return by_input(dy * scale / np.cosh(x) ** 2), by_scale((dy * np.tanh(x)).sum(0))

        return ops.python(lambda x, scale: scale * np.tanh(x), x, self.scale, gradient=gradient)


def test_an_own_gradient_that_is_right():
    assert gradient_check(net(Scaled()), DATA, targets()).ok


@pytest.mark.parametrize("factor", [-1, 0, 0.5, 1.01, 1 + 1e-5])
def test_a_wrong_gradient_by_the_input_is_found_in_the_layers_before(factor):
    result = gradient_check(net(Scaled(by_input=lambda d: factor * d, name="own")), DATA, targets())
    assert not result.ok and not result and wrong_names(result) == ["first/kernel", "first/bias"]
    assert not result.direction.ok
    for name in ("first/kernel", "first/bias"):
        assert result.variables[name].wrong[0].gradient == pytest.approx(
            factor * result.variables[name].wrong[0].quotient, abs=1e-7
        )


def test_a_wrong_gradient_by_a_weight_is_found_in_that_weight_at_that_element():
    def planted(d):
        return d + 1e-4 * (np.arange(5) == 3)

    result = gradient_check(net(Scaled(by_scale=planted, name="own")), DATA, targets())
    assert wrong_names(result) == ["own/scale"]
    (difference,) = result.variables["own/scale"].wrong
    assert difference.where == (3,)
    assert difference.gradient - difference.quotient == pytest.approx(1e-4, abs=1e-8)
    text = str(result)
    assert "wrong: own/scale" in text.splitlines()[0]
    assert "own/scale, element [3]: gradient " in text.splitlines()[-2] and "WRONG" in text
    assert text.splitlines()[-1].startswith("all together, a random direction: gradient ")


def test_a_wrong_element_that_is_not_drawn_is_found_by_the_direction():
    def planted(d):
        return d + 0.01 * (np.arange(40) == 21)

    made = net(layers.Dense(40), Scaled(by_scale=planted, name="own"))
    result = gradient_check(made, DATA, targets(), samples=1)
    assert wrong_names(result) == ["own/scale"]
    assert [difference.where for difference in result.variables["own/scale"].wrong] == [None]


def test_a_gradient_that_is_wrong_in_float32_only():
    def planted(d):
        return d * 1.001 if d.dtype == np.float32 else d

    result = gradient_check(net(Scaled(by_scale=planted, name="own")), DATA, targets())
    assert wrong_names(result) == ["own/scale"] and "WRONG in float32" in str(result)
    assert result.variables["own/scale"].float32 == pytest.approx(1e-3, rel=1e-2)


def test_a_loss_that_is_too_large_for_float32():
    made = fastnn.Sequential([layers.Dense(1, "exponential", input_shape=(1,), name="steep")])
    made.compile("sgd", "mae")
    made.set_weights([[[45.0]], [50.0]])
    result = gradient_check(made, [1.0], [0.0])
    assert wrong_names(result) == ["steep/kernel", "steep/bias"] and not result.variables["steep/bias"].wrong, result


def test_a_gradient_that_is_not_finite():
    result = gradient_check(net(Scaled(by_input=lambda d: d * np.nan)), DATA, targets())
    assert wrong_names(result) == ["first/kernel", "first/bias"]


def test_a_loss_that_is_not_finite():
    result = gradient_check(net(), DATA, np.full((10, 3), np.inf))
    assert not result.ok and len(wrong_names(result)) == 4 and "nan" in str(result)


def test_a_wrong_gradient_in_a_table_row(monkeypatch):
    from fastnn.ops.table import OPS

    row = OPS["tanh"]
    monkeypatch.setattr(type(row), "grad", property(lambda self: broken if self is row else vars(self)["grad"]))

    def broken(step, dy):
        return [ops.multiply(dy, 0.9)]

    result = gradient_check(net(layers.Activation("tanh")), DATA, targets())
    assert wrong_names(result) == ["first/kernel", "first/bias"]


# Kinks


def test_kinks_are_counted_and_not_compared():
    made = net(layers.Activation("relu"))
    w1, b1, *rest = made.get_weights()
    b1[:] = [0, 0, 1, -1, 0]
    made.set_weights([w1, b1, *rest])
    x = DATA.copy()
    x[0] = 0  # the inputs of units 0, 1, 4 are exactly 0 there, and so is the gradient
    result = gradient_check(made, x, targets())
    assert result.ok, result
    assert result.variables["first/bias"].kinks == 3 and result.variables["first/bias"].compared == 2
    assert result.variables["first/kernel"].kinks == 0  # the product with an input of 0 does not move
    assert result.direction.kinks == 1

    only = net(layers.Activation("relu"))
    only.set_weights([w1, np.zeros(5), *rest])
    result = gradient_check(only, x, targets())
    assert result.ok and result.variables["first/bias"].compared == 0
    assert "only kinks" in str(result)


def test_the_other_elements_are_still_compared():
    made = net(layers.Activation("relu"), Scaled(by_input=lambda d: 1.1 * d))
    w1, b1, *rest = made.get_weights()
    b1[:] = [0, 0, 1, 0, 0]
    made.set_weights([w1, b1, *rest])
    x = DATA.copy()
    x[0] = 0
    assert wrong_names(gradient_check(made, x, targets())) == ["first/kernel", "first/bias"]


@pytest.mark.parametrize("factor", [1, 1.1])
def test_kinks_that_cancel_and_a_gradient_that_is_wrong_beside_them(factor):
    """``relu(w) - relu(-w)`` is w, but the gradient at 0 is 0."""

    def identity(x):
        y = ops.python(np.array, x, gradient=lambda dy, x: factor * dy)
        return ops.relu(y) - ops.relu(ops.negative(y))

    made = fastnn.Sequential([layers.Dense(1, input_shape=(1,), use_bias=False, name="w"), layers.Activation(identity)])
    made.compile("sgd", lambda y, p: p + y)
    made.set_weights([[[0.0]]])
    result = gradient_check(made, [1.0], [1.0])
    assert result.ok == (factor == 1)
    assert result.variables["w/kernel"].kinks == (factor == 1), result


def test_kinks_in_a_row():
    """The slopes of the two sides tell a kink, also where the loss has another one beside it."""
    made = fastnn.Sequential([layers.Dense(1, input_shape=(1,), use_bias=False, name="w")])
    made.compile("sgd", lambda y, p: ops.relu(p) + ops.relu(p - 2.0**-14) + y)
    made.set_weights([[[0.0]]])
    result = gradient_check(made, [1.0], [1.0])
    assert result.ok and result.variables["w/kernel"].kinks == 1, result


def test_units_that_underflow_in_float32_only():
    """The ReLUs get numbers of 1e-60, of either sign, which are 0 in float32 and so have another slope."""
    tiny = layers.Activation(lambda x: x * ops.exp(ops.square(x) * -1.4))
    made = net(tiny, layers.Dense(8, "relu", name="relu"))
    result = gradient_check(made, 10 * np.sign(DATA), targets())
    assert result.ok and result.variables["relu/bias"].kinks == 8, result


def near_a_kink(distance):
    """One weight w, one sample 1: the loss is ``relu(w - 1)`` with w at this distance behind the kink."""
    made = fastnn.Sequential([layers.Dense(1, input_shape=(1,)), layers.Activation("relu")])
    made.compile("sgd", lambda y, p: p + y)
    made.set_weights([np.full((1, 1), 1.0), np.array([-1.0 + distance])])
    return gradient_check(made, [1.0], [1.0])


@pytest.mark.parametrize("distance", [2.0**-k for k in range(14, 24)] + [-(2.0**-k) for k in range(14, 24)])
def test_a_kink_nearby_is_left_outside(distance):
    result = near_a_kink(distance)
    assert result.ok and [check.compared for check in result.variables.values()] == [1, 1], result
    assert max(check.difference for check in result.variables.values()) < 1e-6


# Whatever it is called with


def test_nothing_changes():
    made, twin = model(), model()
    before = state(made), config.seed(), config._stream, np.random.get_state()[1].tobytes()
    for x, y, weights in ((X, Y, None), (X[:5], Y[:5], WEIGHTS[:5])):
        assert gradient_check(made, x, y, weights).ok
    assert (state(made), config.seed(), config._stream, np.random.get_state()[1].tobytes()) == before
    for each in (made, twin):
        train(each)
    assert [w.tobytes() for w in made.get_weights()] == [w.tobytes() for w in twin.get_weights()]
    assert made.predict(X).tobytes() == twin.predict(X).tobytes()


class Counting(layers.Layer):
    """Keeps state in a variable: how often it was trained."""

    def build(self, input_shape):
        self.count = self.add_weight((), "zeros", trainable=False, name="count")

    def call(self, x, training=None):
        if training:
            ops.assign(self.count, self.count + 1)
        return x * 2


def test_state_that_a_layer_keeps_does_not_change():
    made = net(Counting(name="counting"))
    assert gradient_check(made, DATA, targets()).ok
    assert float(made.get_layer("counting").count) == 0


def test_the_same_call_gives_the_same_result_and_the_seed_chooses_elements():
    made, y = net(layers.Dense(30, activation="tanh")), targets()
    first, again, other = (gradient_check(made, DATA, y, samples=5, seed=seed) for seed in (1, 1, 2))
    assert repr(first) == repr(again) != repr(other)


def test_a_loss_that_changes_from_call_to_call_is_refused():
    rng = np.random.default_rng(0)
    noisy = layers.Activation(
        lambda x: ops.python(lambda x: x + rng.standard_normal(x.shape), x, gradient=lambda d, x: d)
    )
    made = net(noisy)
    with pytest.raises(
        RuntimeError, match="for the same weights and data; expected a loss that depends on these alone"
    ):
        gradient_check(made, DATA, targets())


def test_one_hot_targets_and_a_single_sample():
    made = net(activation="softmax", loss="categorical_crossentropy")
    assert gradient_check(made, DATA, HOT[:10]).ok and gradient_check(made, DATA[:1], HOT[:1]).ok
