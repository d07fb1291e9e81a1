"""Copies and pickles of models train as the models do."""

import copy
import pickle
import threading

import pytest
from nets import bits, net
from test_saving import Twice, X, Y

import fastnn
from fastnn import config, layers, losses, metrics, optimizers, schedules


def copies(model):
    return copy.deepcopy(model), copy.copy(model), pickle.loads(pickle.dumps(model))


def test_copies_train_as_the_model_does():
    model = net(optimizers.Adam(0.1, use_ema=True))
    model.fit(X, Y, verbose=0)
    for again in copies(model):
        assert again.name == model.name and bits(again) == bits(model)
        assert not any(a is b for a, b in zip(again.variables, model.variables, strict=True))
    again = copies(model)[2]
    for each in (again, model):
        each.fit(X, Y, epochs=2, verbose=0)
    assert bits(again) == bits(model)


def test_copies_of_models_that_are_not_built_and_of_own_layers():
    empty = fastnn.Sequential([layers.Dense(3), Twice(3.0)])
    for each in (empty, *copies(empty)):
        assert not each.built and [type(layer) for layer in each.layers] == [layers.Dense, Twice]
    empty.compile("adam", "mse")
    for each in copies(empty):
        each.fit(X, X[:, :3], verbose=0)
        assert each.built and each.layers[1].factor == 3.0 and not empty.built


def test_a_copy_of_what_has_no_configuration_is_refused():
    class Own(fastnn.Model):
        def call(self, x):
            return x * 2.0

    for copied in (copy.deepcopy, pickle.dumps):
        with pytest.raises(NotImplementedError, match="get_config"):
            copied(Own())


class Own(losses.Loss):
    def __init__(self, factor=2.0):
        super().__init__("own")
        self.factor = factor

    def call(self, y_true, y_pred):
        return losses.mean_squared_error(y_true, y_pred) * self.factor


class Count(metrics.Metric):
    kept = ("calls",)

    def __init__(self, name="count"):
        super().__init__(name)
        self.calls = 0

    def reset_state(self):
        self.calls = 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.calls += 1

    def result(self):
        return self.calls


class Halving(schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.1 * 0.5**step

    def get_config(self):
        return {}


def distance(y_true, y_pred):
    return losses.mean_absolute_error(y_true, y_pred) * 3.0


def test_own_losses_metrics_and_schedules_go_along():
    model = fastnn.Sequential([layers.Dense(3, input_shape=(4,))])
    for loss in (Own(3.0), distance):
        model.compile(optimizers.SGD(Halving()), loss, metrics=[Count(), "mae"])
        model.fit(X, X[:, :3], verbose=0)
        for again in copies(model):
            assert bits(again) == bits(model)
            assert again.evaluate(X, X[:, :3], verbose=0) == model.evaluate(X, X[:, :3], verbose=0)
    model.compile("sgd", lambda y, p: losses.mean_absolute_error(y, p) * 2.0)
    again = copy.deepcopy(model)
    assert again.evaluate(X, X[:, :3], verbose=0) == model.evaluate(X, X[:, :3], verbose=0)


def test_a_copy_has_metrics_of_its_own():
    model = fastnn.Sequential([layers.Dense(3, input_shape=(4,))])
    model.compile("sgd", "mse", metrics=[Count()])
    for again in copies(model):
        assert again._compiled.metrics[0] is not model._compiled.metrics[0]


def test_classes_of_one_name_are_refused():
    def own(factor, name="Own"):
        def call(self, x):
            return x * factor

        return type(name, (layers.Layer,), {"call": call})()

    for models in ([own(2.0), own(5.0)], [layers.Dense(4), own(2.0, "Dense")], [own(2.0, "Sequential")]):
        model = fastnn.Sequential(models)
        model.build((None, 4))
        with pytest.raises(ValueError, match=r"model: received an own class '\w+'; expected a name that"):
            copy.deepcopy(model)


def test_a_pickle_needs_the_type_of_numbers_that_it_was_made_with():
    content, before = pickle.dumps(net()), config.floatx()
    try:
        config.set_floatx("float64")
        with pytest.raises(fastnn.FormatError, match=r"floatx of the copy: .*set_floatx\('float32'\)"):
            pickle.loads(content)
    finally:
        config.set_floatx(before)


def test_a_model_that_another_thread_trains_is_not_copied_or_saved(tmp_path):
    """Its weights would be some of one step, some of another."""
    model, found = net(), []

    class During(fastnn.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            def tries():
                for call in (
                    copy.deepcopy,
                    pickle.dumps,
                    lambda m: m.save(tmp_path / "m"),
                    lambda m: m.save_weights(tmp_path / "m"),
                ):
                    with pytest.raises(RuntimeError, match="model: received a call while another one trains"):
                        call(model)
                    found.append(call)

            thread = threading.Thread(target=tries)
            thread.start()
            thread.join()
            copy.deepcopy(model)  # in the thread that trains

    model.fit(X, Y, verbose=0, callbacks=[During()])
    assert len(found) == 4 and not list(tmp_path.iterdir())


def test_copies_and_files_take_no_random_numbers(tmp_path):
    def next_weights(between):
        model = net()
        between(model)
        return fastnn.Sequential([layers.Dense(3, input_shape=(4,))]).get_weights()[0].tobytes()

    expected = next_weights(lambda model: None)
    for between in (copies, lambda model: model.save(tmp_path / "model")):
        assert next_weights(between) == expected
