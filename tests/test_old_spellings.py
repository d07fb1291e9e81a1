"""Keras' old spellings of arguments mean the new ones, warn once, and touch nobody else's."""

import inspect
import warnings
from functools import partial

import numpy as np
import pytest
from nets import class_patterns

import fastnn
from fastnn import callbacks, layers, old_spellings, optimizers, schedules, utils
from fastnn.layers.base import reset_names
from fastnn.old_spellings import CONVERTED, GONE, RENAMED, respelled

X, Y = class_patterns(40, width=6, classes=3)


@pytest.fixture(autouse=True)
def nothing_warned(monkeypatch):
    monkeypatch.setattr(old_spellings, "_warned", set())


def trained(optimizer="sgd", **arguments):
    """The bytes of a small network's weights after training, and its history."""
    reset_names()
    fastnn.set_random_seed(4)
    model = fastnn.Sequential([layers.Dense(5, "tanh", input_shape=(6,)), layers.Dense(3, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["acc"])
    history = model.fit(X, Y, batch_size=8, verbose=0, **arguments)
    return [w.tobytes() for w in model.get_weights()], history.history


def described(made):
    """What tells two objects apart."""
    config = made.get_config() if hasattr(made, "get_config") else made
    return repr(
        [(k, repr(v).split(" at ")[0]) for k, v in config.items() if k != "name"] if config is not made else made
    )


# old spelling: (a call with it, the same with the new one, how the warning writes that)
SPELLINGS = {
    "lr": (lambda: optimizers.Adam(lr=0.01), lambda: optimizers.Adam(learning_rate=0.01), "learning_rate"),
    "nb_epoch": (lambda: trained(nb_epoch=2), lambda: trained(epochs=2), "epochs"),
    "nb_classes": (
        lambda: utils.to_categorical([1], nb_classes=3).tolist(),
        lambda: utils.to_categorical([1], num_classes=3).tolist(),
        "num_classes",
    ),
    "output_dim": (lambda: layers.Dense(output_dim=3), lambda: layers.Dense(units=3), "units"),
    "init": (
        lambda: layers.Dense(3, init="one"),
        lambda: layers.Dense(3, kernel_initializer="ones"),
        "kernel_initializer",
    ),
    "W_regularizer": (
        lambda: layers.Dense(3, W_regularizer="l2"),
        lambda: layers.Dense(3, kernel_regularizer="l2"),
        "kernel_regularizer",
    ),
    "b_regularizer": (
        lambda: layers.Dense(3, b_regularizer="l1"),
        lambda: layers.Dense(3, bias_regularizer="l1"),
        "bias_regularizer",
    ),
    "W_constraint": (lambda: layers.Dense(3, W_constraint=None), lambda: layers.Dense(3), "kernel_constraint"),
    "b_constraint": (lambda: layers.Dense(3, b_constraint=None), lambda: layers.Dense(3), "bias_constraint"),
    "bias": (lambda: layers.Dense(3, bias=False), lambda: layers.Dense(3, use_bias=False), "use_bias"),
    "p": (lambda: layers.Dropout(p=0.3), lambda: layers.Dropout(rate=0.3), "rate"),
    "keep_prob": (lambda: layers.Dropout(keep_prob=0.8), lambda: layers.Dropout(0.2), "rate=1 - keep_prob"),
    "batch_input_shape": (
        lambda: layers.Flatten(batch_input_shape=[None, 2, 3]),
        lambda: layers.Flatten(input_shape=(2, 3)),
        "input_shape, without the batch axis",
    ),
    "decay": (
        lambda: trained(optimizers.SGD(0.1, decay=0.5)),
        lambda: trained(optimizers.SGD(schedules.InverseTimeDecay(0.1, 1, 0.5))),
        "learning_rate=schedules.InverseTimeDecay(learning_rate, 1, decay)",
    ),
}

# old spelling: (a layer that it is for, the new one, a value)
OF_LAYERS = {
    "alpha": ("LeakyReLU", "negative_slope", 0.25),
    "beta_init": ("BatchNormalization", "beta_initializer", "ones"),
    "gamma_init": ("BatchNormalization", "gamma_initializer", "zeros"),
    "sigma": ("GaussianNoise", "stddev", 0.5),
}
for old, (layer, new, value) in OF_LAYERS.items():
    if hasattr(layers, layer):
        made = getattr(layers, layer)
        SPELLINGS[old] = partial(made, **{old: value}), partial(made, **{new: value}), new


@pytest.mark.parametrize("old", SPELLINGS)
def test_an_old_spelling_means_the_new_one_and_warns_once(old):
    call, today, written = SPELLINGS[old]
    with pytest.warns(DeprecationWarning) as seen:
        made = call()
    assert [str(w.message) for w in seen] == [f"{old} is an old spelling; write {written}"]
    assert seen[0].filename == __file__
    assert described(call()) == described(made) == described(today())  # a second warning would be an error


def test_all_spellings_are_tested_whose_new_names_exist():
    functions = [fastnn.Model, *(getattr(layers, name) for name in layers.__all__), optimizers.SGD]
    functions += [fastnn.Model.fit, fastnn.Model.evaluate, fastnn.Model.compile, utils.to_categorical]
    there = {name for function in functions for name in inspect.signature(function).parameters}
    untested = {old for old, new in RENAMED.items() if new in there} - {*SPELLINGS, *OF_LAYERS, "input", "output"}
    assert not untested
    assert CONVERTED.keys() <= RENAMED.keys() and not RENAMED.keys() & GONE.keys()


def test_models_of_inputs_and_outputs_take_the_singular_of_keras_1():
    x = fastnn.Input((3,))
    old = "(in|out)put is an old spelling; write (in|out)puts"
    with pytest.warns(DeprecationWarning, match=old):
        assert fastnn.Model(input=x, output=fastnn.layers.Dense(2)(x)).output_shape == (None, 2)


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.3, 0.7, 0.9, 0.95, 1.0])
def test_a_part_to_keep_is_the_part_to_drop_as_one_writes_it(keep):
    assert repr(old_spellings.complement(keep)) == repr(float(f"{1 - keep:.3f}"))


def test_the_decay_of_keras_2_is_its_formula():
    """``lr / (1 + decay * iterations)``."""
    with pytest.warns(DeprecationWarning, match="decay"):
        optimizer = optimizers.SGD(0.25, decay=1e-3)
    steps = np.arange(1000)
    np.testing.assert_allclose(optimizer.step_numbers(1000)[:, 0], 0.25 / (1 + 1e-3 * steps), rtol=1e-15)


def test_a_decay_of_0_leaves_a_rate_that_callbacks_change():
    with pytest.warns(DeprecationWarning, match="decay"):
        optimizer = optimizers.SGD(0.25, decay=0.0)
    trained(optimizer, callbacks=callbacks.LearningRateScheduler(lambda epoch: 0.5))
    assert optimizer.learning_rate == 0.5


def test_arguments_as_the_documentation_of_keras_2_lists_them():
    with pytest.warns(DeprecationWarning) as seen:
        old = optimizers.Adam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=None, decay=0.0, amsgrad=False)
    assert len(seen) == 2 and old.get_config() == optimizers.Adam().get_config()
    assert optimizers.RMSprop(epsilon=None).get_config() == optimizers.RMSprop().get_config()


def test_the_rate_of_an_optimizer_by_its_old_name():
    optimizer = optimizers.RMSprop(0.5)
    with pytest.warns(DeprecationWarning, match="lr is an old spelling; write learning_rate"):
        optimizer.lr = 0.25
    assert optimizer.lr == optimizer.learning_rate == 0.25


def test_acc_and_accuracy_are_reported_under_the_name_that_was_asked_for():
    assert {*trained(validation_split=0.2)[1]} == {"acc", "loss", "val_acc", "val_loss"}


class Own(layers.Dense):
    """A layer of somebody's own, which means something else by these names."""

    def __init__(self, units, init, p=0.5, **kwargs):
        super().__init__(units, **kwargs)
        self.init, self.p = init, p
        self.sigma = kwargs


class OwnOptimizer(optimizers.SGD):
    def __init__(self, lr=0.1, **kwargs):
        super().__init__(2 * lr, **kwargs)


def test_functions_that_have_such_an_argument_keep_it():
    layer = Own(3, init="mine", p=2)
    assert (layer.init, layer.p, layer.units) == ("mine", 2, 3)
    assert OwnOptimizer(lr=0.5).learning_rate == 1.0
    with pytest.raises(TypeError, match="'units'"):  # of Python: only fastnn's own functions take old names
        Own(output_dim=3, init="mine")

    @respelled
    def function(p, rate=1, *, epochs=3):
        return p, rate, epochs

    assert function(p=5) == (5, 1, 3)
    assert list(inspect.signature(function).parameters) == ["p", "rate", "epochs"]


def test_a_warning_made_an_error_comes_before_anything_has_changed():
    model = fastnn.Sequential([layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(DeprecationWarning, match="nb_epoch"):
                model.fit(X, Y, nb_epoch=1)
        assert not model.built


def test_signatures_are_todays():
    assert "learning_rate" in inspect.signature(optimizers.SGD).parameters
    assert list(inspect.signature(layers.Dropout).parameters)[:1] == ["rate"]
    assert "epochs" in inspect.signature(fastnn.Sequential.fit).parameters
