"""What single layers promise beyond the contract of all of them (tests/test_layer_contract.py)."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from harness import computed

import fastnn
from fastnn import initializers, layers, ops, regularizers
from fastnn.ops.activations import SELU_ALPHA, SELU_SCALE

RNG = np.random.default_rng(8)
X = RNG.standard_normal((6, 4)).astype(np.float32)

# ---- random layers --------------------------------------------------------------------------------

N = 200_000
SIGMAS = 6  # a mean or a variance is this far off with probability 2e-9
DKW = math.sqrt(math.log(2e9) / (2 * N))  # a distribution function, with probability 1e-9
ONES = np.ones((400, N // 400), np.float32)


def check_moments(y, mean, variance):
    """Mean and variance of a sample, each within six of its own standard deviations."""
    y = y.astype(np.float64).ravel()
    fourth = ((y - mean) ** 4).mean()
    assert abs(y.mean() - mean) <= SIGMAS * math.sqrt(variance / y.size)
    assert abs(((y - mean) ** 2).mean() - variance) <= SIGMAS * math.sqrt((fourth - variance**2) / y.size)


def check_normal(y, mean, stddev):
    """The distribution function of a sample, at each of its values."""
    values = np.sort(y.ravel())[::97]
    wanted = [NormalDist(mean, stddev).cdf(v) for v in values.tolist()]
    assert np.abs(np.arange(0, y.size, 97) / y.size - wanted).max() <= DKW + 1 / y.size


def test_noise_is_normal():
    y = layers.GaussianNoise(0.3, seed=5)(2 * ONES, training=True)
    check_moments(y, 2, 0.09)
    check_normal(y, 2, 0.3)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_factors_have_the_moments_of_dropout(rate):
    variance = rate / (1 - rate)
    y = layers.GaussianDropout(rate, seed=5)(ONES, training=True)
    check_moments(y, 1, variance)
    check_normal(y, 1, math.sqrt(variance))
    check_moments(layers.Dropout(rate, seed=5)(ONES, training=True), 1, variance)


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(rate):
    x = RNG.standard_normal(ONES.shape).astype(np.float32)
    y = layers.AlphaDropout(rate, seed=5)(x, training=True)
    check_moments(y, 0, 1)
    low = -SELU_SCALE * SELU_ALPHA
    a = ((1 - rate) * (1 + rate * low**2)) ** -0.5
    dropped = np.abs(y - (a * low - a * rate * low)) < 1e-6
    assert abs(dropped.mean() - rate) <= SIGMAS * math.sqrt(rate * (1 - rate) / N)
    np.testing.assert_allclose(y[~dropped], a * x[~dropped] - a * rate * low, rtol=1e-5, atol=1e-6 / (1 - rate))


RANDOM = {
    "AlphaDropout": {"rate": 0.3},
    "Dropout": {"rate": 0.3},
    "GaussianDropout": {"rate": 0.3},
    "GaussianNoise": {"stddev": 0.3},
}


@pytest.mark.parametrize("name", RANDOM)
def test_random_layers_act_in_training_only(name):
    make = getattr(layers, name)
    layer, again, other = (make(**RANDOM[name], seed=seed) for seed in (1, 1, 2))
    fastnn.set_random_seed(4)
    for training in (None, False):
        assert layer(X, training=training).tobytes() == X.tobytes()
    y = layer(X, training=True)
    assert again(X, training=True).tobytes() == y.tobytes() != other(X, training=True).tobytes()
    assert layer(X, training=True).tobytes() != y.tobytes()  # every call has numbers of its own
    nothing = make(**dict.fromkeys(RANDOM[name], 0))
    assert nothing(X, training=True).tobytes() == X.tobytes()
    model = fastnn.Sequential([layer])
    assert model.predict(X).tobytes() == model(X).tobytes() == X.tobytes()
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="no trainable weights"):
        first, second = (model.train_on_batch(X, X) for _ in range(2))
    assert first == second > 0  # of one optimizer iteration, which a model without weights does not leave
    assert model.evaluate(X, X, verbose=0) == 0


@pytest.mark.parametrize("name", RANDOM)
def test_gradients_go_through_the_numbers_of_the_forward_pass(name):
    """Each layer is affine in each element, so the slope is what two calls with the same numbers show."""
    layer = getattr(layers, name)(**RANDOM[name], seed=1)
    values = []
    for x in (X, X + 1):
        step = fastnn.value_and_grad(lambda x: layer(x, training=True), [0])  # each begins with iteration 0
        y, (dx,) = step(x)
        values.append(y)
    np.testing.assert_allclose(dx, values[1] - values[0], atol=3e-6)
    assert name == "GaussianNoise" or len(np.unique(dx)) > 1


# ---- activations ----------------------------------------------------------------------------------


def test_softmax_over_several_axes_is_one_distribution():
    x = RNG.standard_normal((2, 3, 4, 5))
    y = layers.Softmax((1, -1))(x)
    np.testing.assert_allclose(y.sum((1, 3)), 1, rtol=1e-12)
    e = np.exp(x)
    np.testing.assert_allclose(y, e / e.sum((1, 3), keepdims=True), rtol=1e-12)
    assert layers.Softmax([2])(x).tobytes() == layers.Softmax(2)(x).tobytes()


def test_the_old_name_of_a_slope():
    with pytest.warns(DeprecationWarning, match="negative_slope"):
        assert layers.LeakyReLU(alpha=0.1).negative_slope == 0.1


def test_slopes_at_zero():
    """From the left, as those of all rectifiers here; by its own slopes PReLU has none there."""
    alpha = np.float32([0.25, -1.0])
    step = fastnn.value_and_grad(lambda x, a: ops.prelu(x, a), [0, 1])
    _, (by_x, by_alpha) = step(np.zeros((3, 2)), np.tile(alpha, (3, 1)))
    assert by_x.tolist() == [[0.25, -1.0]] * 3 and not by_alpha.any()


# ---- Maxout and RBF -------------------------------------------------------------------------------


def test_maxout_is_the_largest_of_dense_layers():
    layer = layers.Maxout(3, k=4, bias_initializer="random_normal")
    y = layer(X.astype(np.float64))
    kernel, bias = layer.get_weights()
    assert kernel.shape == (4, 12) and bias.shape == (12,) and layer.count_params() == 4 * layers_params(3)
    pieces = [X.astype(np.float64) @ kernel[:, j : j + 3] + bias[j : j + 3] for j in range(0, 12, 3)]
    np.testing.assert_allclose(y, np.max(pieces, axis=0), rtol=1e-12)


def layers_params(units):
    layer = layers.Dense(units)
    layer(X)
    return layer.count_params()


def test_the_first_of_equal_pieces_gets_the_gradient():
    nan, inf = math.nan, math.inf
    z = np.float32(
        [[1, 1, 0, 2, 2, 2], [0, 3, -0.0, 3, 1, 3], [nan, -inf, 1, nan, 5, -inf]]
    )  # three pieces of two units
    dy = np.float32([[7, 8], [7, 8], [7, 8]])
    (y,) = computed(lambda z: ops.maxout(z, k=3), z)
    np.testing.assert_array_equal(y, [[2, 2], [1, 3], [nan, nan]])
    (dz,) = computed(lambda dy, z: ops.maxout_grad(dy, z, k=3), dy, z)
    assert dz.tolist() == [[0, 0, 0, 8, 7, 0], [0, 8, 0, 0, 7, 0], [7, 0, 0, 8, 0, 0]]


FAR = 1e4  # floats are 2^-10 apart there, so squares of 1e8 leave nothing of a distance of 1e-3


def test_distances_far_from_the_origin():
    x = (FAR + RNG.uniform(-0.01, 0.01, (20, 5))).astype(np.float32)
    centres = x[:7].T.copy()
    exact = ((x[:, :, np.newaxis].astype(np.float64) - centres) ** 2).sum(1)
    (d,) = computed(ops.squared_distances, x, centres)
    assert (d >= 0).all() and not d[range(7), range(7)].any()
    np.testing.assert_allclose(d, exact, rtol=10 * 2.0**-24)  # eight roundings: two of each square, and five of the sum
    layer = layers.RBF(7, initializers.Constant(centres), widths_initializer=initializers.Constant(0.01))
    y = fastnn.Sequential([layer]).predict(x)
    assert (y <= 1).all() and (y[range(7), range(7)] == 1).all()
    np.testing.assert_allclose(y, np.exp(-exact / (2 * 0.01**2)), rtol=1e-5, atol=1e-30)


def test_gradients_far_from_the_origin():
    """As those of the same rows and centres around the origin: moving them there is exact in float32, so what remains
    is some thirty roundings of sums of numbers below 2. With the origin where it was they would be off by 1e-3."""
    x, centres = (np.round(RNG.uniform(-1, 1, shape) * 512) / 512 for shape in ((9, 5), (5, 4)))
    found = []
    for origin in (0, FAR / 2):
        layer = layers.RBF(4, initializers.Constant(centres + origin))
        layer.ensure_built((None, 5))
        step = fastnn.value_and_grad(lambda x: ops.sum(layer(x) * [1, -2, 3, 4]), [0, *layer.trainable_variables])  # noqa: B023
        found.append(step(x + origin)[1])
    for near, far in zip(*found, strict=True):
        np.testing.assert_allclose(far, near, rtol=0, atol=30 * 2.0**-24 * max(1, np.abs(near).max()))


# ---- penalties of activities ----------------------------------------------------------------------


class Adding(layers.Layer):
    """Adds the sum of its inputs, and half of it, to the loss."""

    def call(self, x):
        total = ops.sum(x)
        self.add_loss([total, total * 0.5])
        return x


def losses_of(layer):
    return [float(loss) for loss in layer.losses]


def test_a_call_leaves_its_penalties_until_the_next():
    layer = Adding()
    assert layer.losses == []
    for x in (X, X[:2]):
        layer(x)
        np.testing.assert_allclose(losses_of(layer), [x.sum(), x.sum() / 2], rtol=1e-5)
    model = fastnn.Sequential([Adding(), layers.Dense(3, kernel_regularizer="l2"), Adding(name="second")])
    for training in (None, True):
        y = model(X, training=training)
        weights = 0.01 * float((model.layers[1].kernel.numpy() ** 2).sum())
        wanted = [X.sum(), X.sum() / 2, y.sum(), y.sum() / 2, weights]
        np.testing.assert_allclose(losses_of(model), wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(losses_of(model.layers[2]), [y.sum(), y.sum() / 2], rtol=1e-4, atol=1e-5)
    assert y.tobytes() == model.predict(X).tobytes() or np.allclose(y, model.predict(X), rtol=1e-6)
    outer = fastnn.Sequential([model, layers.Flatten()])
    outer(X)
    assert losses_of(outer) == losses_of(model) and len(outer.losses) == 5


class Twice(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Activation("tanh", activity_regularizer=regularizers.L1(1.0))

    def call(self, x):
        return self.inner(self.inner(x))


def test_a_shared_layer_adds_a_penalty_for_each_call():
    layer = Twice()
    layer(X)
    first = np.abs(np.tanh(X)).sum() / len(X)
    np.testing.assert_allclose(losses_of(layer), [first, np.abs(np.tanh(np.tanh(X))).sum() / len(X)], rtol=1e-5)
    model = fastnn.Sequential([layer])
    model.compile("sgd", "mse")
    y = model.predict(X)
    np.testing.assert_allclose(model.evaluate(X, y, verbose=0), sum(losses_of(layer)), rtol=1e-5)


def test_an_error_in_a_call_does_not_hide_the_next_calls():
    layer = Adding()
    layer(X)
    with pytest.raises(TypeError):
        layers.Lambda(lambda x: layer(x) + None)(X)
    layer(X[:1])
    assert len(layer.losses) == 2


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_a_loop_of_ones_own_adds_them_itself(floatx):
    before = fastnn.config.floatx()
    fastnn.config.set_floatx(floatx)
    try:
        y = RNG.standard_normal((6, 2))
        trained = []
        for own in (False, True):
            fastnn.set_random_seed(1)
            model = fastnn.Sequential(
                [
                    layers.Dense(5, "tanh", activity_regularizer="l2", input_shape=(4,)),
                    layers.ActivityRegularization(0.1),
                    layers.Dense(2, kernel_regularizer="l1"),
                ]
            )
            model.compile(fastnn.optimizers.SGD(0.25), "mse")

            def value(x, y, model=model):
                return ops.mean(ops.square(model(x, training=True) - y)) + sum(model.losses)

            if own:
                step = fastnn.value_and_grad(value, model.trainable_variables)
                loss, gradients = step(X, y)
                model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            else:
                loss = model.train_on_batch(X, y)
            trained.append([loss, *model.get_weights()])
        for found, expected in zip(*trained, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5 if floatx == "float32" else 1e-12, atol=1e-7)
    finally:
        fastnn.config.set_floatx(before)


def test_penalties_do_not_depend_on_the_size_of_the_batch():
    """A penalty per sample: the loss of evaluation is the same for any division into batches."""
    model = fastnn.Sequential([layers.Dense(3, activity_regularizer="l1", input_shape=(4,))])
    model.compile("sgd", "mse")
    y = np.zeros((6, 3))
    found = [model.evaluate(X, y, batch_size=n, verbose=0) for n in (1, 2, 4, 6)]
    np.testing.assert_allclose(found, found[0], rtol=1e-6)


# ---- Lambda ---------------------------------------------------------------------------------------


def test_a_function_of_the_library_goes_through_the_configuration():
    model = fastnn.Sequential(
        [
            layers.Lambda(ops.sum, arguments={"axis": 1, "keepdims": True}, output_shape=(1,)),
            layers.Lambda(fastnn.activations.elu, arguments={"alpha": 0.5}),
        ]
    )
    wanted = model.predict(X)
    again = fastnn.Sequential.from_config(model.get_config())
    assert again.predict(X).tobytes() == wanted.tobytes()
    functions = [layer["config"]["function"] for layer in model.get_config()["layers"]]
    assert functions == ["ops.sum", "activations.elu"]


def test_a_function_that_knows_whether_it_trains():
    def halved(x, training=False):
        return x * 0.5 if training else x

    layer = layers.Lambda(halved, lambda shape: shape)
    assert (layer(X) == X).all() and (layer(X, training=True) == X / 2).all()
    assert layer.compute_output_shape((None, 4)) == (None, 4)
