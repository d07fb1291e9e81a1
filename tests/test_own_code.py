"""Layers, losses, metrics, optimizers, callbacks and training loops of one's own, against their built-in twins."""

from collections import Counter

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, force, plan_lines, state
from own import FOUR_PARTS, assert_equal_in_float64, assert_rounds_like, example, float64, in_float64

import fastnn
from fastnn import callbacks, layers, losses, metrics, ops, optimizers

RNG = np.random.default_rng(11)
X = RNG.standard_normal((45, 5)).astype(np.float32)
Y = np.tanh(X[:, :3] + X[:, 2:]).astype(np.float32)
LABELS = X[:, :3].argmax(1)
WEIGHTS = RNG.uniform(0.5, 2, 45).astype(np.float32)
UNIT = np.finfo(np.float32).eps / 2  # one rounding


@pytest.fixture(autouse=True)
def one_thread():
    """Where a test does not force more: one thread waits for no other where the machine is busy."""
    with fastnn.threads(1):
        yield


def sequential(*stack, optimizer=None, loss="mse", seed=5, **compiled):
    fastnn.set_random_seed(seed)
    model = fastnn.Sequential([layers.Input((5,)), *(layer() for layer in stack)])
    model.compile(optimizer or optimizers.SGD(0.1), loss, **compiled)
    return model


def regression(**compiled):
    return sequential(lambda: layers.Dense(8, activation="tanh"), lambda: layers.Dense(3), **compiled)


def fitted(model, y=Y, **arguments):
    """Weights and losses after three epochs with a short last batch."""
    history = model.fit(X, y, **{"batch_size": 16, "epochs": 3, "verbose": 0, **arguments}).history
    return [*model.get_weights(), history["loss"]]


# The examples


@pytest.mark.parametrize(
    ("name", "arguments", "good", "shows"),
    [
        ("custom_layer", (), lambda accuracy: accuracy > 0.95, "1 segment in C"),
        ("numpy_layer", (), lambda found: found[0] < 0.05 and found[1] > 1.5, "3 segments in C"),
        ("custom_loss_metric_optimizer", (), lambda found: 1 < len(found["rmse"]) < 100, "rmse 0.6"),
        ("training_loop", (), lambda found: found[0] > 0.95 and found[1] < found[0] - 0.1, "Test accuracy 0.9"),
        ("gan", (["--steps", "1000"],), lambda found: found[0] > 0.6 and found[1].min() > 0.1, "shares of the centres"),
    ],
)
def test_examples_do_what_they_say(name, arguments, good, shows, capsys):
    found = example(name).main(*arguments)
    assert good(found), found
    assert shows in capsys.readouterr().out


# Layers with ops


def dense_net(own, units=17):
    """Of `OwnDense` or of `Dense`, with the same weights."""
    made = example("custom_layer").OwnDense if own else lambda n, f: layers.Dense(n, activation=f)
    model = sequential(
        lambda: made(units, ops.tanh),
        lambda: layers.Dropout(0.2, seed=1),
        lambda: made(33, ops.relu),
        lambda: made(3, ops.softmax),
        optimizer=optimizers.Adam(),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    rng = np.random.default_rng(6)
    model.set_weights([0.3 * rng.standard_normal(v.shape) for v in model.variables])
    return model


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("isa", ISAS)
def test_a_dense_layer_of_ones_own_gives_the_bits_of_the_built_in_one(isa, threads, monkeypatch):
    force(monkeypatch, isa, threads)
    with fastnn.threads(threads):
        own, built_in = dense_net(True), dense_net(False)
        assert fitted(own, LABELS)[-1] == fitted(built_in, LABELS)[-1]
        assert state(own) == state(built_in)
        assert own.evaluate(X, LABELS, verbose=0) == built_in.evaluate(X, LABELS, verbose=0)
        assert own.predict(X).tobytes() == built_in.predict(X).tobytes()


def test_the_plan_of_a_dense_layer_of_ones_own_is_that_of_the_built_in_one():
    """Product, bias and activation in one kernel, in one segment; only the sum over the batch has another name, and
    is checked by itself: of a `Dense` layer it is proved finite together with the gradient of the weights."""
    own, built_in = dense_net(True).describe(), dense_net(False).describe()
    assert ", 1 segment in C," in own and "dense+tanh" in own and "dense+relu" in own
    operations = [Counter(line["operation"] for line in plan_lines(text)) for text in (own, built_in)]
    operations[0]["dense_grad_bias"] = operations[0].pop("sum")
    operations[0]["check_finite"] -= operations[0]["dense_grad_bias"]
    assert operations[0] == operations[1]


def test_a_dense_layer_of_width_1_sums_its_bias_gradient_in_another_order():
    """A column is one vector, which `sum` adds in lanes and `Dense` as a chain: equal but for rounding."""
    own, built_in = (fitted(dense_net(which, 1), LABELS) for which in (True, False))
    assert_rounds_like(own, built_in, in_float64(lambda: fitted(dense_net(False, 1), LABELS)))


class AsInKeras(layers.Layer):
    """A subclass as Keras' guides write it."""

    def __init__(self, units=4, rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.scale = self.add_weight(shape=(), initializer="ones", trainable=True)
        self.calls = self.add_weight(shape=(1,), initializer="zeros", trainable=False, name="calls")
        self.offset = fastnn.Variable(np.zeros(units), name="offset")
        self.blocks = [layers.Dense(units, activation="tanh", kernel_regularizer="l2"), layers.Dropout(rate)]
        self.heads = {"last": layers.Dense(units)}

    def build(self, input_shape):
        self.w = self.add_weight(
            name="w", shape=(input_shape[-1], self.units), initializer="random_normal", regularizer="l2"
        )
        self.heads["last"].build((None, self.units))  # explicitly, as Keras 3 recommends
        super().build(input_shape)

    def call(self, inputs, training=False):
        x = inputs @ self.w * self.scale + self.offset
        for block in self.blocks:
            x = block(x, training=training)
        return self.heads["last"](x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def test_a_layer_as_keras_guides_write_it():
    model = sequential(AsInKeras, lambda: layers.Dense(3, name="top"))
    layer = model.layers[0]
    dense, last = layer.blocks[0], layer.heads["last"]
    assert layer.built and last.built and layer.input_shape == (None, 5) and layer.output_shape == (None, 4)
    own = [layer.scale, layer.calls, layer.w, layer.offset]
    assert {id(v) for v in layer.variables} == {id(v) for v in (*own, *dense.variables, *last.variables)}
    assert len(layer.variables) == 8 and layer.count_params() == 1 + 1 + 20 + 4 + 20 + 20
    assert layer.non_trainable_variables == [layer.calls]
    assert [id(v) for _, v in layer.penalties] == [id(layer.w), id(dense.kernel)]
    before = {id(v): v.numpy() for v in model.variables}
    fitted(model)
    changed = {i for i, v in before.items() if not np.array_equal(v, {id(v): v.numpy() for v in model.variables}[i])}
    assert changed == {id(v) for v in model.trainable_variables}
    assert AsInKeras.from_config(layer.get_config()).units == 4
    # Frozen, all of its parts are.
    layer.trainable, before = False, layer.get_weights()
    fitted(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True))
    assert model.trainable_variables == model.layers[1].trainable_variables


def test_training_of_a_layer_with_parts_is_that_of_its_parts():
    """Three layers in one, against the three in a model."""

    class Three(layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [layers.Dense(9, activation="tanh"), layers.Dropout(0.3), layers.Dense(4)]

        def call(self, x, training=None):
            for part in self.parts:
                x = part(x, training)
            return x

    inside = sequential(Three, lambda: layers.Dense(3), optimizer=optimizers.Adam())
    flat = sequential(
        lambda: layers.Dense(9, activation="tanh"),
        lambda: layers.Dropout(0.3),
        lambda: layers.Dense(4),
        lambda: layers.Dense(3),
        optimizer=optimizers.Adam(),
    )
    for model in (inside, flat):
        fitted(model)
    assert state(inside) == state(flat)


def test_weights_that_two_layers_share_are_trained_once():
    class Tied(layers.Layer):
        """``x W'`` with the kernel of another layer."""

        def __init__(self, other):
            super().__init__()
            self.other = other

        def call(self, x):
            return x @ ops.transpose(self.other.kernel)

    encoder = layers.Dense(3, kernel_regularizer=fastnn.regularizers.L2(0.1))
    model = sequential(lambda: encoder, lambda: Tied(encoder))
    assert model.variables == encoder.variables and model.count_params() == 18 and len(model.penalties) == 1
    w, b = (v.astype(np.float64) for v in model.get_weights())
    x = X.astype(np.float64)
    hidden = x @ w + b
    error = 2 * (hidden @ w.T - x) / x.size
    wanted = x.T @ (error @ w) + error.T @ hidden + 0.2 * w
    model.train_on_batch(X, X)
    # Chains of at most 45 products in each of the two terms and in what they are made of.
    magnitude = np.abs(x).T @ (np.abs(error) @ np.abs(w)) + np.abs(error).T @ np.abs(hidden) + np.abs(w)
    assert (
        np.abs((w - model.get_weights()[0]) / 0.1 - wanted) <= 3 * 50 * UNIT * magnitude + 20 * UNIT * np.abs(w)
    ).all()


def test_a_refused_call_unbuilds_what_it_built_and_nothing_else():
    class Wrapper(layers.Layer):
        def __init__(self, *inside):
            super().__init__()
            self.inside = inside
            self.scale = self.add_weight(initializer="ones")

        def call(self, x):
            for layer in self.inside:
                x = layer(x)
            return x * self.scale

    known, new = layers.Dense(4), layers.Dense(3)
    known(X)
    before = known.get_weights()
    wrapper = Wrapper(known, new)
    model = fastnn.Sequential([wrapper])
    model.compile("sgd", "mse")
    for _ in range(2):
        with pytest.raises(ValueError, match="y: received"):
            model.fit(X, Y[:, :2], verbose=0)
        assert not (model.built or wrapper.built or new.built) and known.built
        assert wrapper.variables == [wrapper.scale]
        assert [w.tobytes() for w in before] == [w.tobytes() for w in known.get_weights()]
    fitted(model)
    assert len(model.variables) == len(model.trainable_variables) == 5 and float(wrapper.scale) != 1


def test_build_may_be_called():
    layer = layers.Dense(2)
    layer.build([None, 5])
    first = layer.kernel
    layer(X)
    assert layer.variables == [first, layer.bias] and layer.input_shape == (None, 5)


# Layers that are refused


class UsesNumpy(layers.Layer):
    def call(self, x):
        return np.tanh(x)


class UsesNumpyOnItsWeight(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight(input_shape[-1:], "ones")

    def call(self, x):
        return x * np.exp(self.w)


class HasNoCall(layers.Layer):
    pass


class ReturnsTwo(layers.Layer):
    def call(self, x):
        return x, x


class LosesTheBatch(layers.Layer):
    def call(self, x):
        return ops.mean(x, axis=0)


class WeightsWithoutShape(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight("w", (3, 4))

    def call(self, x):
        return x @ self.w


class WholeNumbers(layers.Layer):
    def __init__(self):
        super().__init__()
        self.w = fastnn.Variable(np.arange(5), dtype="int64")

    def call(self, x):
        return x * self.w


@pytest.mark.parametrize(
    ("layer", "error", "says"),
    [
        (UsesNumpy, TypeError, "use functions of fastnn.ops on symbolic arrays, not NumPy's"),
        (UsesNumpyOnItsWeight, TypeError, "variable 'uses_numpy_on_its_weight.*functions of fastnn.ops"),
        (HasNoCall, NotImplementedError, "class HasNoCall: received a class without a method 'call'"),
        (ReturnsTwo, TypeError, "output of layer 'returns_two"),
        (LosesTheBatch, ValueError, r"expected an array with the batch \(None\) as axis 0"),
        (WeightsWithoutShape, TypeError, "shape of weights_without_shape.*received 'w'"),
        (WholeNumbers, TypeError, "received dtype int64; expected float32"),
    ],
)
def test_wrong_layers_are_refused_by_name(layer, error, says):
    with pytest.raises(error, match=says) as caught:
        sequential(layer)
    assert FOUR_PARTS.fullmatch(str(caught.value)) and "layer '" in str(caught.value)
    model = sequential(lambda: layers.Dense(5))
    before = state(model)
    added = layer()
    with pytest.raises(error, match=says):
        model.add(added)
    assert state(model) == before and len(model.layers) == 1 and not added.built
    fitted(model, X)


def test_a_layer_that_misstates_its_output_shape_is_refused():
    """It would be written beyond the end of the array made for it."""

    class Liar(layers.Layer):
        def call(self, x):
            return ops.concatenate([x, x], axis=-1)

        def compute_output_shape(self, input_shape):
            return input_shape

    model = sequential(Liar)
    for call in (model.predict, lambda x: model.fit(x, x), lambda x: model.evaluate(x, x)):
        with pytest.raises(ValueError, match=r"shape \(None, 10\).*expected shape \(None, 5\)") as caught:
            call(X)
        assert FOUR_PARTS.fullmatch(str(caught.value))


# Losses


def textbook(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class Textbook(losses.Loss):
    def call(self, y_true, y_pred):
        return textbook(y_true, y_pred)


def of_the_batch(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


@pytest.mark.parametrize(
    ("loss", "weights"),
    [(loss, weights) for loss in (textbook, Textbook, Textbook()) for weights in (None, WEIGHTS)]
    + [(of_the_batch, None)],
)
def test_a_loss_of_ones_own_trains_as_the_built_in_one(loss, weights):
    run = lambda loss: fitted(regression(loss=loss), sample_weight=weights)  # noqa: E731
    assert_rounds_like(run(loss), run("mse"), in_float64(run, "mse"))
    assert ", 1 segment in C," in regression(loss=loss).describe()


def test_the_loss_of_the_example_is_the_textbook_formula():
    own = example("custom_loss_metric_optimizer").squared_error
    assert np.array_equal(own(Y, X[:, :3]), textbook(Y, X[:, :3]))
    run = lambda loss: fitted(regression(loss=loss))  # noqa: E731
    assert_rounds_like(run(own), run("mse"), in_float64(run, "mse"))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
def test_a_loss_object_computes_on_arrays_and_in_a_loop(reduction):
    """Targets of shape (batch,) for predictions of shape (batch, 1) are aligned in both."""
    loss = Textbook(reduction=reduction)
    prediction, target = X[:, :1], Y[:, 0]
    step = fastnn.value_and_grad(lambda p, t, w: loss(t, p, sample_weight=w), [0])
    value, (slope,) = step(prediction, target, WEIGHTS)
    wanted = loss(target, prediction, WEIGHTS)
    factor = 1 / 45 if reduction == "sum_over_batch_size" else 1
    error = prediction[:, 0].astype(np.float64) - target
    # A chain of 45 terms, each rounded four times on its way.
    assert np.shape(value) == np.shape(wanted)
    assert (np.abs(value - wanted) <= (45 + 4) * UNIT * np.sum(WEIGHTS * error**2) * factor).all()
    assert (np.abs(slope[:, 0] - 2 * WEIGHTS * error * factor) <= 8 * UNIT * np.abs(slope[:, 0])).all()


# Metrics


class MeanAbsolute(metrics.Metric):
    """With a signature that knows no weights, as Keras allows for unweighted metrics."""

    def __init__(self):
        super().__init__(name="own")
        self.sum, self.count = self.add_weight(name="sum"), self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred):
        self.sum.assign(self.sum + np.abs(y_true - y_pred).mean(-1, dtype="float64").sum())
        self.count.assign_add(len(y_true))

    def result(self):
        return self.sum / self.count


def test_metrics_of_ones_own_agree_with_the_built_in_ones():
    """In training, validation and evaluation, weighted and not, with short last batches."""
    rmse = example("custom_loss_metric_optimizer").RootMeanSquaredError
    model = regression(
        metrics=[MeanAbsolute(), rmse(), "mae", "mse"],
        weighted_metrics=[rmse(name="weighted"), metrics.MeanSquaredError("wmse")],
    )
    split = {"validation_data": (X[:20], Y[:20], WEIGHTS[:20]), "sample_weight": WEIGHTS, "epochs": 2}
    logs = model.fit(X, Y, batch_size=16, verbose=0, **split).history
    found = [{name: values[i] for name, values in logs.items()} for i in range(2)]
    found.append(model.evaluate(X, Y, batch_size=7, sample_weight=WEIGHTS, verbose=0, return_dict=True))
    found.append(model.test_on_batch(X, Y, sample_weight=WEIGHTS, return_dict=True))
    # Sums of positive terms, so relative errors stay: each of at most five roundings in a row of three.
    near = lambda a, b: abs(a - b) <= 2 * 5 * UNIT * b  # noqa: E731
    for prefix, log in [*(("", log) for log in found), *(("val_", log) for log in found[:2])]:
        assert near(log[f"{prefix}own"], log[f"{prefix}mae"])
        assert near(log[f"{prefix}rmse"] ** 2, log[f"{prefix}mse"])
        assert near(log[f"{prefix}weighted"] ** 2, log[f"{prefix}wmse"])
    assert found[0]["rmse"] != found[0]["weighted"]
    count = MeanAbsolute().count
    count.assign(2**24)
    count.assign_add(1)  # which float32 would not notice
    assert float(count) == 2**24 + 1


def test_metrics_do_not_change_what_is_trained():
    plain, watched = regression(), regression(metrics=[MeanAbsolute()])
    assert fitted(plain)[-1] == fitted(watched)[-1] and state(plain) == state(watched)


def test_an_error_in_a_metric_leaves_the_model_after_a_whole_step():
    class Failing(MeanAbsolute):
        fails = True

        def update_state(self, y_true, y_pred):
            if self.fails:
                raise KeyError("its own")
            super().update_state(y_true, y_pred)

    metric = Failing()
    model, twin = regression(metrics=[metric]), regression()
    with pytest.raises(KeyError, match="its own"):
        fitted(model, shuffle=False)
    twin.fit(X[:16], Y[:16], batch_size=16, shuffle=False, verbose=0)  # the first chunk is one batch
    assert state(model) == state(twin) and model.optimizer.iterations == 1
    metric.fails = False
    assert fitted(model)[-1] == fitted(twin)[-1] and state(model) == state(twin)


@pytest.mark.parametrize("lacking", ["update_state", "result"])
def test_a_metric_without_its_methods_is_refused_when_it_is_made(lacking):
    methods = {"update_state": MeanAbsolute.update_state, "result": MeanAbsolute.result}
    kind = type("Half", (metrics.Metric,), {k: v for k, v in methods.items() if k != lacking})
    with pytest.raises(
        NotImplementedError, match=f"class Half: received a class without a method '{lacking}'"
    ) as caught:
        kind()
    assert FOUR_PARTS.fullmatch(str(caught.value))


# Optimizers


class Adam(optimizers.Optimizer):
    """Kingma and Ba (2015), written as in their paper."""

    slot_names = ("m", "v")

    def scalars(self, iteration, learning_rate):
        t = iteration + 1
        return learning_rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)

    def update(self, w, g, slots, scalars):
        m = 0.9 * slots["m"] + 0.1 * g
        v = 0.999 * slots["v"] + 0.001 * g * g
        return w - scalars * m / (ops.sqrt(v) + 1e-7), m, v


def momentum():
    return example("custom_loss_metric_optimizer").Momentum(0.05)


TWINS = {
    "momentum": (momentum, lambda: optimizers.SGD(0.05, momentum=0.9)),
    "adam": (lambda: Adam(0.01), lambda: optimizers.Adam(0.01)),
    "schedule": (
        lambda: Adam(optimizers.schedules.ExponentialDecay(0.02, 3, 0.5)),
        lambda: optimizers.Adam(optimizers.schedules.ExponentialDecay(0.02, 3, 0.5)),
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_an_optimizer_of_ones_own_takes_the_steps_of_the_built_in_one(name):
    own, built_in = TWINS[name]
    run = lambda make: fitted(regression(optimizer=make()))  # noqa: E731
    assert_rounds_like(run(own), run(built_in), in_float64(run, built_in))
    assert_equal_in_float64(in_float64(run, own), in_float64(run, built_in))
    model = regression(optimizer=own())
    assert ", 1 segment in C," in model.describe()
    fitted(model)
    assert model.optimizer.iterations == 9
    for variable in model.trainable_variables:
        slots = model.optimizer.slots(variable).values()
        assert all(slot.shape == variable.shape and slot.value.any() for slot in slots)


class Few(Adam):
    def update(self, w, g, slots, scalars):
        return w - g, slots["m"]


class Many(optimizers.Optimizer):
    def update(self, w, g, slots, scalars):
        return w - g, g


class Forgets(Adam):
    def update(self, w, g, slots, scalars):
        w - g


class Reduces(optimizers.Optimizer):
    def update(self, w, g, slots, scalars):
        return ops.mean(w - g)


class OptimizerInNumpy(optimizers.Optimizer):
    def update(self, w, g, slots, scalars):
        return w - np.sign(g)


class HasNoUpdate(optimizers.Optimizer):
    slot_names = ("m",)


@pytest.mark.parametrize(
    ("kind", "says", "error"),
    [
        (Few, "update of Few: received 2 values for .*expected 3: ", ValueError),
        (Many, "update of Many: received 2 values for .*expected 1: ", ValueError),
        (Forgets, "update of Forgets: received 0 values for ", ValueError),
        (Reduces, "update of Reduces: received .* as the variable for ", ValueError),
        (HasNoUpdate, "class HasNoUpdate: received a class without a method 'update'", NotImplementedError),
        (OptimizerInNumpy, "use functions of fastnn.ops", TypeError),
    ],
)
def test_wrong_optimizers_are_refused_before_anything_changes(kind, says, error):
    model = regression(optimizer=kind(0.1))
    before = state(regression())
    gradients = [(np.ones(v.shape), v) for v in model.trainable_variables]
    calls = [lambda: fitted(model), lambda: model.train_on_batch(X, Y)]
    if kind is not OptimizerInNumpy:  # on arrays NumPy is right
        calls.append(lambda: model.optimizer.apply_gradients(gradients))
    for call in calls:
        with pytest.raises(error, match=says) as caught:
            call()
        assert FOUR_PARTS.fullmatch(str(caught.value))
        assert [w.tobytes() for w in model.get_weights()] == before[0] and model.optimizer.iterations == 0
        assert model.optimizer._slots == {}
    model.compile(optimizers.SGD(0.1), "mse")
    fitted(model)


# Callbacks


def test_a_callback_of_ones_own_sees_and_steers_the_training():
    class Halve(callbacks.Callback):
        """Halves the rate and stops after the fourth epoch; notes what it is told."""

        def __init__(self):
            super().__init__()
            self.told = []

        def on_train_begin(self, logs=None):
            self.told.append(self.params["epochs"])

        def on_epoch_end(self, epoch, logs=None):
            self.told.append((epoch, logs["loss"], self.model.evaluate(X, Y, verbose=0)))
            self.model.optimizer.learning_rate /= 2
            self.model.stop_training = epoch == 3

    halve = Halve()
    model, twin = regression(), regression()
    model.fit(X, Y, epochs=9, verbose=0, callbacks=[halve])
    told = [9]
    for epoch in range(4):
        twin.optimizer.learning_rate = 0.1 / 2**epoch
        history = twin.fit(X, Y, initial_epoch=epoch, epochs=epoch + 1, verbose=0).history
        told.append((epoch, history["loss"][0], twin.evaluate(X, Y, verbose=0)))
    assert halve.told == told and state(model) == state(twin)


def test_the_callback_of_the_example_stops_where_the_loss_has_become_small():
    stop = example("custom_loss_metric_optimizer").StopBelow
    whole = regression().fit(X, Y, epochs=12, verbose=0).history["loss"]
    found = regression().fit(X, Y, epochs=12, verbose=0, callbacks=[stop("loss", whole[5])]).history["loss"]
    assert found == whole[:7] and whole[6] < whole[5]


# Training loops


def loop_net():
    return sequential(
        lambda: layers.Dense(8, activation="tanh"),
        lambda: layers.Dropout(0.3),
        lambda: layers.Dense(3),
        optimizer=optimizers.Adam(0.01),
    )


def own_loop(steps=8):
    """Batches of 16 with a short one among them."""
    model, loss = loop_net(), losses.MeanSquaredError()
    step = fastnn.value_and_grad(lambda x, y: loss(y, model(x, training=True)), model.trainable_variables)
    values = []
    for i in range(steps):
        batch = slice(i % 3 * 16, i % 3 * 16 + 16)
        value, gradients = step(X[batch], Y[batch])
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        values.append(value)
    assert model.optimizer.iterations == steps
    return [*model.get_weights(), values]


def batch_by_batch(steps=8):
    model, values = loop_net(), []
    for i in range(steps):
        batch = slice(i % 3 * 16, i % 3 * 16 + 16)
        values.append(model.train_on_batch(X[batch], Y[batch]))
    return [*model.get_weights(), values]


def test_a_loop_of_ones_own_takes_the_steps_of_train_on_batch():
    """Dropout included: both count their steps from 0."""
    exact = in_float64(batch_by_batch)
    assert_rounds_like(own_loop(), batch_by_batch(), exact)
    assert_equal_in_float64(in_float64(own_loop), exact)
    fit = loop_net()
    fit.fit(X, Y, batch_size=16, epochs=1, shuffle=False, verbose=0)
    assert_rounds_like(fit.get_weights(), batch_by_batch(3)[:-1], in_float64(batch_by_batch, 3)[:-1])


def slopes(function, arrays, h=1e-5):
    """Central differences of a function by every element of float64 arrays, which are changed in place."""
    found = []
    for array in arrays:
        slope = np.empty(array.shape)
        for i in np.ndindex(array.shape):
            kept = array[i]
            array[i] = kept + h
            up = function()
            array[i] = kept - h
            slope[i] = (up - function()) / (2 * h)
            array[i] = kept
        found.append(slope)
    return found


def test_gradients_by_inputs_and_weights_are_those_of_central_differences():
    """Of a net with layers of one's own in ops and in NumPy, by an input of the loss too, in float64."""
    own, soft = example("custom_layer"), example("numpy_layer").Softplus
    with float64():
        model = sequential(lambda: own.OwnDense(4), own.Residual, soft, lambda: layers.Dense(3))
        model.layers[2].beta.assign(1.7)
        x, y = X[:6].astype(np.float64), Y[:6].astype(np.float64)
        variables = model.trainable_variables
        step = fastnn.value_and_grad(lambda x, y, c: c * of_the_batch(y, model(x)), [0, 1, 2, *variables])
        c = np.array(1.3)
        _, gradients = step(x, y, c)
        wanted = slopes(lambda: step(x, y, c)[0], [x, y, c, *(v.value for v in variables)])
    assert len(gradients) == 3 + 7
    for gradient, slope in zip(gradients, wanted, strict=True):
        # Differences: h^2 of a third derivative, and the roundings of a value of about 1 over h.
        assert gradient.shape == slope.shape and np.abs(slope).max() > 1e-4
        assert np.abs(gradient - slope).max() <= 1e-8


def test_integers_may_be_differentiated_by():
    pixels = np.array([[3, 4]], np.uint8)
    _, (slope,) = fastnn.value_and_grad(lambda x: ops.sum(x * x), [0])(pixels)
    assert slope.dtype == np.float32 and slope.tolist() == [[6, 8]]


def test_float64_is_float64_throughout_and_does_not_mix_with_float32():
    with float64():
        fifths = np.array([[0.2, 0.4]])
        value, (slope,) = fastnn.value_and_grad(lambda x: ops.sum(0.1 * x * fifths), [0])(fifths)
        assert value == (0.1 * fifths * fifths).sum() and np.array_equal(slope, 0.1 * fifths)
        wide = regression()
    before = state(wide)
    for call in (lambda: fitted(wide), lambda: wide.predict(X)):
        with pytest.raises(TypeError, match="received dtype float64; expected float32") as caught:
            call()
        assert FOUR_PARTS.fullmatch(str(caught.value)) and state(wide) == before


def test_wrong_gradients_are_refused_before_anything_changes():
    first, second = fastnn.Variable(np.ones(3), name="first"), fastnn.Variable(np.ones(4), name="second")
    optimizer = optimizers.Adam()
    with pytest.raises(ValueError, match="gradient of 'second'") as caught:
        optimizer.apply_gradients([(np.ones(3), first), (np.ones(3), second)])
    assert FOUR_PARTS.fullmatch(str(caught.value)) and optimizer.iterations == 0
    assert first.numpy().tolist() == [1, 1, 1] and optimizer._slots == {}


def test_variables_add_and_subtract_in_place():
    variable = fastnn.Variable([1.0, 2.0])
    memory = variable.value
    variable.assign_add([1, 1])
    variable.assign_sub(variable * 0.5)
    assert variable.numpy().tolist() == [1, 1.5] and variable.value is memory
    with pytest.raises(ValueError, match="value of variable"):
        variable.assign_add(np.ones((2, 2)))
