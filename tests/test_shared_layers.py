"""Layers in several places: in two models, twice in one function, and in a GAN, which plain NumPy trains along."""

from collections import Counter

import numpy as np
import plain_trainer
import pytest
from nets import plan_lines
from own import assert_rounds_like, example

import fastnn
from fastnn import layers, losses, ops, optimizers
from fastnn.variable import Variable

RNG = np.random.default_rng(13)
X = RNG.standard_normal((40, 4)).astype(np.float32)
Y = np.sin(X[:, :2]).astype(np.float32)


@pytest.fixture(autouse=True)
def one_thread():
    """The results are those of any number; one thread waits for no other where the machine is busy."""
    with fastnn.threads(1):
        yield


def bits(model):
    return [w.tobytes() for w in model.get_weights()]


# A GAN. The plain one is written by hand: two nets with one hidden layer of tanh, the discriminator with a
# sigmoid output and binary cross-entropy, Adam with slots of each net's own. Nets are lists [w, b, w, b].

NOISE, HIDDEN, POINT, HALF = 3, 7, 2, 24


def initial():
    """Weights of generator and discriminator."""
    rng = np.random.default_rng(3)
    nets = (
        plain_trainer.initial_weights((NOISE, HIDDEN, POINT), rng),
        plain_trainer.initial_weights((POINT, HIDDEN, 1), rng),
    )
    return [[w.astype(np.float32) for w in net] for net in nets]


def batches(steps):
    """Real points, noise for the discriminator's step, noise for the generator's."""
    rng = np.random.default_rng(4)
    for _ in range(steps):
        centres = rng.choice([-1.0, 1.0], (HALF, POINT))
        draws = centres + 0.1 * rng.standard_normal((HALF, POINT)), *rng.standard_normal((2, HALF, NOISE))
        yield [a.astype(np.float32) for a in draws]


def forward(net, x):
    hidden = np.tanh(x @ net[0] + net[1])
    return hidden, hidden @ net[2] + net[3]


def backward(net, x, hidden, dz):
    """Gradients of the weights, and of the input, given that of the output."""
    dh = (dz @ net[2].T) * (1 - hidden * hidden)
    return [x.T @ dh, dh.sum(0), hidden.T @ dz, dz.sum(0)], dh @ net[0].T


def cross_entropy(z, y):
    """Of logits: the mean, and its gradient."""
    loss = np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))
    return loss, (1 / (1 + np.exp(-z)) - y) / len(z)


def plain_gan(steps, dtype, generator_first):
    """Losses and weights after so many steps of each net."""
    generator, discriminator = ([w.astype(dtype) for w in net] for net in initial())
    slots = [[(np.zeros_like(w), np.zeros_like(w)) for w in net] for net in (generator, discriminator)]
    found = []
    for t, draws in enumerate(batches(steps), start=1):
        points, z, z_generator = (a.astype(dtype) for a in draws)

        def teach_discriminator(points=points, z=z, t=t):
            x = np.concatenate([points, forward(generator, z)[1]])
            y = np.repeat([1, 0], HALF)[:, None].astype(dtype)
            hidden, logits = forward(discriminator, x)
            loss, dz = cross_entropy(logits, y)
            gradients, _ = backward(discriminator, x, hidden, dz)
            for w, g, (m, v) in zip(discriminator, gradients, slots[1], strict=True):
                plain_trainer.adam(w, g, m, v, t, lr=0.01)
            return loss

        def teach_generator(z=z_generator, t=t):
            hidden, made = forward(generator, z)
            judged, logits = forward(discriminator, made)
            loss, dz = cross_entropy(logits, np.ones_like(logits))
            _, dmade = backward(discriminator, made, judged, dz)
            gradients, _ = backward(generator, z, hidden, dmade)
            for w, g, (m, v) in zip(generator, gradients, slots[0], strict=True):
                plain_trainer.adam(w, g, m, v, t, lr=0.005)
            return loss

        turns = [teach_discriminator, teach_generator]
        found += [turn() for turn in (turns[::-1] if generator_first else turns)]
    return [np.array(found)], generator, discriminator


def gan():
    generator = fastnn.Sequential([layers.Dense(HIDDEN, activation="tanh", input_shape=(NOISE,)), layers.Dense(POINT)])
    discriminator = fastnn.Sequential(
        [layers.Dense(HIDDEN, activation="tanh", input_shape=(POINT,)), layers.Dense(1, activation="sigmoid")]
    )
    combined = fastnn.Sequential([generator, discriminator])
    discriminator.compile(optimizers.Adam(0.01), "binary_crossentropy")
    combined.compile(optimizers.Adam(0.005), "binary_crossentropy")
    for model, weights in zip((generator, discriminator), initial(), strict=True):
        model.set_weights(weights)
    return generator, discriminator, combined


def teach_discriminator(generator, discriminator, combined, points, z, z_generator):
    x = np.concatenate([points, generator.predict(z)])
    discriminator.trainable = True
    return discriminator.train_on_batch(x, np.repeat([1, 0], HALF))


def teach_generator(generator, discriminator, combined, points, z, z_generator):
    discriminator.trainable = False
    return combined.train_on_batch(z_generator, np.ones(HALF))


@pytest.mark.parametrize("generator_first", [False, True], ids=["discriminator first", "generator first"])
@pytest.mark.parametrize("steps", [2, 50])
def test_a_gan_trains_as_in_plain_numpy(steps, generator_first):
    models = gan()
    turns = [teach_discriminator, teach_generator][:: -1 if generator_first else 1]
    found = [turn(*models, *draws) for draws in batches(steps) for turn in turns]
    near, exact = (plain_gan(steps, dtype, generator_first) for dtype in (np.float32, np.float64))
    for ours, plain, true in zip(([found], *(m.get_weights() for m in models[:2])), near, exact, strict=True):
        assert_rounds_like(ours, plain, true)
    assert models[2].get_weights()[0].tobytes() == models[0].get_weights()[0].tobytes()


def test_the_step_of_the_example_is_that_gan():
    step, models, twins = example("gan").step, gan(), gan()
    for draws in batches(5):
        wanted = [turn(*twins, *draws) for turn in (teach_discriminator, teach_generator)]
        assert list(step(*models, *draws)) == wanted
    assert bits(models[2]) == bits(twins[2])


def test_who_learns_is_said_by_trainable():
    models = gan()
    generator, discriminator, combined = models
    draws = next(batches(1))
    before = bits(generator), bits(discriminator)
    teach_generator(*models, *draws)
    after = bits(generator), bits(discriminator)
    assert all(a != b for a, b in zip(before[0], after[0], strict=True)) and before[1] == after[1]
    teach_discriminator(*models, *draws)
    before, after = after, (bits(generator), bits(discriminator))
    assert before[0] == after[0] and all(a != b for a, b in zip(before[1], after[1], strict=True))
    discriminator.trainable = True  # then the combined model teaches both
    combined.train_on_batch(draws[2], np.ones(HALF))
    assert all(a != b for a, b in zip((*after[0], *after[1]), bits(combined), strict=True))


def test_the_plan_of_a_frozen_net_has_no_gradients_of_its_weights():
    generator, discriminator, combined = gan()
    names = [{layer.name for layer in model.layers} for model in (generator, discriminator)]
    for frozen, learning in ((True, names[0]), (False, names[0] | names[1])):
        discriminator.trainable = not frozen
        steps = [(line["operation"], line["layer"]) for line in plan_lines(combined.describe(batch_size=HALF))]
        for operation, times in (("dense_grad_kernel", 1), ("dense_grad_bias", 1), ("adam", 2)):
            assert Counter(step[1] for step in steps if step[0] == operation) == dict.fromkeys(learning, times)


def test_shared_variables_are_one_memory_and_slots_are_each_optimizers_own():
    models = gan()
    generator, discriminator, combined = models
    assert combined.variables == generator.variables + discriminator.variables
    for draws in batches(3):
        teach_discriminator(*models, *draws)
        teach_generator(*models, *draws)
    shared = discriminator.variables
    for model in (discriminator, combined):  # what their programs are bound to
        bound = [v for executor in model._executors.values() for v in executor.variables]
        assert all(any(v is other for other in bound) for v in shared)
        assert all(any(np.shares_memory(v.value, other.value) for other in bound) for v in shared)
    memory = [v.value for v in shared]
    discriminator.set_weights([w + 1 for w in discriminator.get_weights()])
    assert all(a is v.value for a, v in zip(memory, combined.variables[4:], strict=True))
    assert [w.tobytes() for w in combined.get_weights()[4:]] == bits(discriminator)
    # Three steps each: the discriminator's slots are with its optimizer, the generator's with the other.
    assert set(discriminator.optimizer._slots) == {id(v) for v in shared}
    assert set(combined.optimizer._slots) == {id(v) for v in generator.variables}
    discriminator.trainable = True
    combined.train_on_batch(draws[2], np.ones(HALF))
    for v in shared:
        ours, theirs = (model.optimizer.slots(v) for model in (discriminator, combined))
        assert not np.shares_memory(ours["momentum"].value, theirs["momentum"].value)
        assert not np.array_equal(ours["velocity"].value, theirs["velocity"].value)


def test_training_a_model_of_which_everything_is_frozen_warns():
    """As in a GAN whose discriminator was frozen for the combined model and is then trained."""
    models = gan()
    draws = next(batches(1))
    teach_generator(*models, *draws)
    before = bits(models[1])
    with pytest.warns(UserWarning, match=f"model {models[1].name!r} has no trainable weights and learns nothing"):
        models[1].train_on_batch(draws[0], np.ones(HALF))
    assert bits(models[1]) == before and models[1].optimizer.iterations == 0


# Shared otherwise


def two_models():
    """The first layer in both, with different layers behind it."""
    fastnn.set_random_seed(8)
    shared = layers.Dense(6, activation="tanh", input_shape=(4,))
    made = [fastnn.Sequential([shared, layers.Dense(2)]) for _ in range(2)]
    for model in made:
        model.compile(optimizers.SGD(0.1, momentum=0.9), "mse")
    return shared, *made


def test_a_layer_in_two_models_learns_in_both():
    """Its weights go from one model's step to the other's, as when one model is given those of the other by hand."""
    shared, first, second = two_models()
    separate = [two_models()[1 + i] for i in range(2)]  # two copies that share nothing with each other
    for step in range(6):
        turn = step % 2
        model, alone, other = (first, second)[turn], separate[turn], separate[1 - turn]
        batch = slice(5 * step, 5 * step + 10)
        assert model.train_on_batch(X[batch], Y[batch]) == alone.train_on_batch(X[batch], Y[batch])
        other.set_weights(alone.get_weights()[:2] + other.get_weights()[2:])
        assert bits(first)[:2] == bits(second)[:2] == [w.tobytes() for w in shared.get_weights()] == bits(other)[:2]
        assert bits(model) == bits(alone)
    assert first.optimizer.slots(shared.kernel)["momentum"] is not second.optimizer.slots(shared.kernel)["momentum"]
    assert first.predict(X).tobytes() == separate[0].predict(X).tobytes()


@pytest.mark.parametrize("rows", [1, 10, 33])
def test_gradients_of_a_layer_used_twice_add_up(rows):
    """To the bits of those of two layers with equal weights."""
    shared, first, second = (layers.Dense(4, activation="tanh") for _ in range(3))
    for layer in (shared, first, second):
        layer.build((None, 4))
        layer.set_weights(shared.get_weights())
    loss = losses.MeanSquaredError()
    once = fastnn.value_and_grad(lambda x, y: loss(y, shared(shared(x))[:, :2]), [shared.kernel, shared.bias, 0])
    twice = fastnn.value_and_grad(
        lambda x, y: loss(y, second(first(x))[:, :2]), [first.kernel, first.bias, second.kernel, second.bias, 0]
    )
    (value, (dw, db, dx)), (same, found) = once(X[:rows], Y[:rows]), twice(X[:rows], Y[:rows])
    assert value == same and dx.tobytes() == found[4].tobytes()
    assert dw.tobytes() == (found[0] + found[2]).tobytes() and db.tobytes() == (found[1] + found[3]).tobytes()


def test_a_model_and_a_variable_may_be_used_several_times_too():
    """``f(f(x) + s) * s`` by the weights and by a scalar, against the formula, to 160 roundings (1e-5)."""
    model = fastnn.Sequential([layers.Dense(4, use_bias=False, input_shape=(4,))])
    w, s = model.layers[0].kernel, Variable(np.float32(0.75))
    step = fastnn.value_and_grad(lambda x: ops.sum(model(model(x) + s) * s), [w, s])
    x, a = X.astype(np.float64), w.numpy().astype(np.float64)
    hidden, ones = x @ a + 0.75, np.full(X.shape, 0.75)
    value, (dw, ds) = step(X)
    assert np.isclose(value, (hidden @ a * 0.75).sum(), rtol=1e-5)
    assert np.allclose(dw, hidden.T @ ones + x.T @ (ones @ a.T), rtol=1e-5, atol=1e-5)
    assert np.isclose(ds, (hidden @ a).sum() + (np.full(X.shape, 1.0) @ a).sum() * 0.75, rtol=1e-5)
