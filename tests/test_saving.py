"""Models in files: the same bits afterwards, every damage seen, no old file lost."""

import errno
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors
from layer_table import CASES
from nets import bits, net
from test_mutated_files import joined, parts
from test_optimizers import CASES as OPTIMIZERS
from test_optimizers import IDS

import fastnn
from fastnn import FormatError, config, layers, losses, optimizers, regularizers, saving, schedules
from fastnn.saving import container, files
from fastnn.saving.state import plain

RNG = np.random.default_rng(3)
X = RNG.standard_normal((40, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 40)
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The bytes of a small model that has been trained."""
    target = tmp_path_factory.mktemp("small") / "model.safetensors"
    layers.base.reset_names()
    model = net(optimizers.SGD(0.1, momentum=0.9))
    model.fit(X, Y, epochs=1, verbose=0)
    model.save(target)
    return target.read_bytes()


# ---- the same model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in ("InputLayer", "Lambda")], ids=str)
def test_every_layer(case, path):
    inputs = case.each(lambda shape: fastnn.Input(shape))
    model = fastnn.Model(inputs, case.make()(inputs))
    for i, variable in enumerate(model.variables):
        variable.assign(np.random.default_rng(i).random(variable.shape) + 0.5)
    model.save(path)
    again, x = fastnn.load_model(path), case.draw(5, dtype=np.float32)
    assert plain(again.get_config()) == plain(model.get_config())
    assert again.predict(x, verbose=0).tobytes() == model.predict(x, verbose=0).tobytes()


MADE = {name: lambda c=case: c[1](**c[2]) for name, case in zip(IDS, OPTIMIZERS, strict=True)} | {
    "averages": lambda: optimizers.RMSprop(0.01, centered=True, use_ema=True, ema_overwrite_frequency=3),
    "accumulation": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=3),
    "schedule": lambda: optimizers.SGD(schedules.CosineDecay(0.1, 50), nesterov=True, momentum=0.9, clipnorm=1.0),
    "decay": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_training_goes_on_in_the_same_bits(make, path):
    model = net(make())
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    model.save(path)
    again = fastnn.load_model(path)
    assert bits(again) == bits(model) and again.optimizer.get_config() == model.optimizer.get_config()
    for each in (model, again):
        each.fit(X, Y, batch_size=8, epochs=4, initial_epoch=2, verbose=0)
    assert bits(again) == bits(model) and again.optimizer.iterations == model.optimizer.iterations
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)


def test_lbfgs_remembers_its_changes(path):
    model = net(optimizers.LBFGS(history_size=3))
    model.fit(X, Y, batch_size="full", epochs=5, verbose=0)
    model.save(path)
    again = fastnn.load_model(path)
    assert len(again.optimizer._changes) == 3 and bits(again) == bits(model)
    for each in (model, again):
        each.fit(X, Y, batch_size="full", epochs=9, initial_epoch=5, verbose=0)
    assert bits(again) == bits(model)


def test_variables_without_weight_decay_stay_so(path):
    optimizer = optimizers.SGD(0.1, weight_decay=0.5)
    model = net(optimizer)
    optimizer.exclude_from_weight_decay([model.layers[0].kernel], ["bias"])
    model.fit(X, Y, epochs=1, verbose=0)
    model.save(path)
    again = fastnn.load_model(path)
    for each in (model, again):
        each.fit(X, Y, epochs=3, verbose=0)
    assert bits(again) == bits(model)
    assert [again.optimizer._decays(v) for v in again.variables] == [optimizer._decays(v) for v in model.variables]


def test_several_outputs_with_all_arguments_of_compile(path):
    inputs = {"a": fastnn.Input((4,), name="a"), "b": fastnn.Input((2,), name="b")}
    shared = layers.Concatenate()([inputs["a"], inputs["b"]])
    outputs = {"kind": layers.Dense(3, name="kind")(shared), "size": layers.Dense(1, name="size")(shared)}
    model = fastnn.Model(inputs, outputs)
    loss = {"kind": losses.SparseCategoricalCrossentropy(from_logits=True), "size": losses.Huber(0.5)}
    model.compile(
        "adam", loss, {"kind": 2.0, "size": 0.5}, metrics={"size": ["mae", fastnn.metrics.RootMeanSquaredError()]}
    )
    x, y = {"a": X, "b": X[:, :2]}, {"kind": Y, "size": X[:, :1]}
    model.fit(x, y, epochs=2, verbose=0)
    model.save(path)
    again = fastnn.load_model(path)
    assert again.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(x, y, verbose=0, return_dict=True)
    assert again.loss["size"].arguments == {"delta": 0.5}


def test_a_model_that_was_built_by_its_first_call_and_one_that_is_not_compiled(path):
    model = fastnn.Sequential([layers.Dense(3, kernel_regularizer=regularizers.L2(0.1)), layers.Dense(1)])
    expected = model.predict(X, verbose=0)
    model.save(path)
    again = fastnn.load_model(path)
    assert again.optimizer is None and again.predict(X, verbose=0).tobytes() == expected.tobytes()
    assert again.build_shape == model.build_shape


@saving.register_keras_serializable()
def gap(y_true, y_pred):
    return fastnn.ops.mean(fastnn.ops.abs(y_true - y_pred), axis=-1)


def test_registered_functions_as_loss_and_metric(path):
    model = fastnn.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", gap, metrics=[gap, fastnn.metrics.MeanMetricWrapper(gap, name="other")])
    model.fit(X, X[:, :1], verbose=0)
    model.save(path)
    again = fastnn.load_model(path)
    assert again.evaluate(X, X[:, :1], verbose=0) == model.evaluate(X, X[:, :1], verbose=0)


def test_variables_without_axes(path):
    layer = layers.Normalization(input_shape=(4,))
    layer.adapt(X)
    model = fastnn.Sequential([layer, layers.Dense(1)])
    model.save(path)
    assert fastnn.load_model(path).predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
    model.save_weights(path)
    model.load_weights(path)


def test_running_means_in_the_place_of_weights(path):
    model = net(optimizers.SGD(0.1, use_ema=True))
    model.fit(X, Y, verbose=0, callbacks=fastnn.callbacks.SwapEMAWeights(True))
    model.train_on_batch(X, Y)
    model.optimizer.swap_averages(model.trainable_variables)
    model.save(path)
    again = fastnn.load_model(path)
    for each in (model, again):
        each.fit(X, Y, epochs=2, verbose=0, callbacks=fastnn.callbacks.SwapEMAWeights(True))
    assert bits(again) == bits(model)


def shared_models():
    """Layers, and models, that several models have."""
    shared = layers.Dense(4, "tanh")
    inner = fastnn.Sequential([shared, layers.Dropout(0.1), layers.Dense(4)])
    yield fastnn.Sequential([fastnn.Sequential([shared, layers.ReLU()]), fastnn.Sequential([shared])])
    yield fastnn.Sequential([inner, shared, fastnn.Sequential([inner, layers.Dense(2)])])
    x = fastnn.Input((4,))
    first = fastnn.Model(x, layers.Dense(4)(shared(x)))
    second = fastnn.Model(x, inner(shared(shared(x))))
    yield fastnn.Model(x, layers.Add()([first(x), second(x), first(shared(x))]))


@pytest.mark.parametrize("number", range(3))
def test_a_layer_of_several_models_stays_one(number, path):
    fastnn.set_random_seed(3)
    model = list(shared_models())[number]
    model.build((None, 4))
    model.compile("adam", "mse")
    model.fit(X, model.predict(X, verbose=0) * 0 + 1, verbose=0)
    model.save(path)
    again = fastnn.load_model(path)
    assert again.count_params() == model.count_params() and bits(again) == bits(model)
    for each in (model, again):
        each.fit(X, model.predict(X, verbose=0) * 0 + 1, epochs=2, verbose=0)
    assert bits(again) == bits(model)


def test_a_shared_layer_with_two_configurations_is_refused(path):
    model = next(shared_models())
    model.build((None, 4))
    model.save(path)
    header, description, rest = parts(path.read_bytes())
    entries = [inner["config"]["layers"][0] for inner in description["model"]["config"]["layers"]]
    assert [entry["shared_object_id"] for entry in entries] == [0, 0]
    for change in ({"config": entries[1]["config"] | {"units": 5}}, {"shared_object_id": [0]}):
        before = entries[1].copy()
        entries[1] |= change
        path.write_bytes(joined(header, description, rest))
        with pytest.raises(FormatError, match="shared_object_id"):
            fastnn.load_model(path)
        entries[1] |= before


def test_models_that_their_configuration_does_not_make_again_are_not_written(path):
    deep = fastnn.Sequential([layers.Dense(1, input_shape=(4,))])
    for _ in range(40):
        deep = fastnn.Sequential([deep])
    deep.build((None, 4))

    class Dense(layers.Dense):
        def call(self, x):
            return 2.0 * super().call(x)

    own = fastnn.Sequential([Dense(1, input_shape=(4,))])
    for model in (deep, own):
        with pytest.raises(ValueError, match=r"model: received|description of"):
            model.save(path)
        assert not path.exists()


def test_a_configuration_that_json_changes_is_refused(path):
    class Kind(str):
        def __str__(self):
            return "another text"

    class Own(layers.Layer):
        def __init__(self, own, **kwargs):
            super().__init__(**kwargs)
            self.own = own

        def call(self, x):
            return x * 1.0

        def get_config(self):
            return super().get_config() | {"own": self.own}

    def model(own):
        made = fastnn.Sequential([Own(own)])
        made.build((None, 4))
        return made

    given = {"a": [1, (2.5, True)], "b": np.int64(3), "c": np.arange(2.0), "d": Kind("one"), "e": None}
    model(given).save(path)
    again = fastnn.load_model(path, {"Own": Own}).layers[0].own
    assert again == {"a": [1, [2.5, True]], "b": 3, "c": [0.0, 1.0], "d": "one", "e": None}
    path.unlink()
    for own, message in (
        ({0: 1.0}, r"\['own'\]: received the key 0 .*; expected strings"),
        ({Kind("one"): {1: 1}}, r"\['own'\]\['one'\]: received the key 1"),
        ({"a": float("nan")}, r"\['own'\]\['a'\]: received nan .*; expected a finite number"),
        (object(), r"\['own'\]: received <object.*; expected something that a configuration can name"),
    ):
        with pytest.raises(ValueError, match=r"^configuration\['model'\].*\['layers'\]\[\d\].*" + message):
            model(own).save(path)
        assert not path.exists()


class Taking(layers.Layer):
    """Takes its own arguments out of the configuration that it is made of, as many do."""

    def __init__(self, own=1.0, **kwargs):
        super().__init__(**kwargs)
        self.own = own

    def call(self, x):
        return x * self.own

    def get_config(self):
        return super().get_config() | {"own": self.own}

    @classmethod
    def from_config(cls, config):
        own = config.pop("own", 1.0)
        return cls(own=own, **config)


def test_a_class_that_takes_entries_out_of_its_configuration_is_saved_whole(path):
    taking = Taking(3.0)
    for model in (
        fastnn.Sequential([taking]),
        fastnn.Sequential([fastnn.Sequential([taking]), fastnn.Sequential([taking])]),
    ):
        model.build((None, 4))
        model.save(path)
        again = fastnn.load_model(path, {"Taking": Taking})
        assert again.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()


def test_layers_that_are_only_made_to_be_described_are_not_shared(path):
    class Own(layers.Layer):
        def call(self, x):
            return x * 1.0

        def get_config(self):
            inner = [fastnn.Sequential([layers.Dense(units)]).get_config() for units in range(1, 5)]
            return super().get_config() | {"inner": inner}

        @classmethod
        def from_config(cls, config):
            units = [each["layers"][0]["config"]["units"] for each in config.pop("inner")]
            assert units == [1, 2, 3, 4]
            return cls(**config)

    model = fastnn.Sequential([Own()])
    model.build((None, 4))
    model.save(path)
    assert "shared_object_id" not in path.read_bytes().decode("latin1")
    fastnn.load_model(path, {"Own": Own})


def test_a_configuration_without_end_is_refused(path):
    class Endless(Taking):
        def get_config(self):
            config = super().get_config()
            config["own"] = [config]
            return config

    model = fastnn.Sequential([Endless()])
    model.build((None, 4))
    with pytest.raises(ValueError, match="configuration: received lists in lists without end"):
        model.save(path)


def test_a_class_of_ones_own_that_its_configuration_does_not_make_is_warned_of(path):
    class Small(fastnn.Model):
        def __init__(self, units):
            x = fastnn.Input((4,))
            super().__init__(x, layers.Dense(units)(x))

    model = Small(3)
    with pytest.warns(UserWarning, match=r"fails, unless custom_objects has more than Small or .*: TypeError"):
        model.save(path)
    other = Small(3)
    other.load_weights(path)
    assert bits(other) == bits(model)


class Twice(layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class Stack(fastnn.Model):
    def __init__(self, units):
        super().__init__()
        self.units, self.inner = units, layers.Dense(units)

    def call(self, x):
        return self.inner(x) + 1.0

    def get_config(self):
        return {"units": self.units}


@pytest.mark.parametrize("make", [lambda: fastnn.Sequential([Twice(3.0)]), lambda: Stack(2)], ids=["layer", "model"])
def test_classes_of_ones_own_are_passed_in(make, path):
    model = make()
    expected = model.predict(X, verbose=0)
    model.save(path)
    with pytest.raises(FormatError, match="custom_objects"):
        fastnn.load_model(path)
    again = fastnn.load_model(path, {"Twice": Twice, "Stack": Stack})
    assert again.predict(X, verbose=0).tobytes() == expected.tobytes()
    with pytest.raises(FormatError):  # known inside that call only
        fastnn.load_model(path)


def test_without_compile(path):
    model = net()
    model.fit(X, Y, verbose=0)
    model.save(path)
    again = fastnn.load_model(path, compile=False)
    assert again.optimizer is None and again.get_weights()[0].tobytes() == model.get_weights()[0].tobytes()


def test_float64(path):
    before = config.floatx()
    config.set_floatx("float64")
    try:
        model = net()
        model.save(path)
        assert bits(fastnn.load_model(path)) == bits(model)
        config.set_floatx("float32")
        with pytest.raises(FormatError, match=r"set_floatx\('float64'\)"):
            fastnn.load_model(path)
    finally:
        config.set_floatx(before)


# ---- weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True], ids=["weights", "model"])
def test_weights_go_into_a_model_of_other_names(whole, path):
    model, other = net(), net(seed=6)
    model.save(path) if whole else model.save_weights(path)
    assert model.layers[0].name != other.layers[0].name
    other.load_weights(path)
    assert other.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
    if not whole:
        with pytest.raises(FormatError, match="load_weights"):
            fastnn.load_model(path)


def test_weights_of_other_layers_change_nothing(path):
    net().save_weights(path)
    other = fastnn.Sequential([layers.Dense(6, input_shape=(4,)), layers.BatchNormalization(), layers.Dense(2)])
    before = bits(other)
    with pytest.raises(FormatError, match=r"weights/6/.* received float32 of shape \(6, 3\); .*\(6, 2\)"):
        other.load_weights(path)
    fewer = fastnn.Sequential([layers.Dense(6, input_shape=(4,))])
    with pytest.raises(FormatError, match="received 8 arrays; expected 2"):
        fewer.load_weights(path)
    assert bits(other) == before


# ---- the file ----------------------------------------------------------------------------------------------


def test_the_stock_tool_reads_it(path):
    model = net()
    model.save(path)
    with safetensors.safe_open(path, "numpy") as file:
        names = [name for name in list(file.keys()) if name.startswith("weights/")]
        assert sorted(names) == sorted(f"weights/{i}/{v.path}" for i, v in enumerate(model.variables))
        for i, variable in enumerate(model.variables):
            assert file.get_tensor(f"weights/{i}/{variable.path}").tobytes() == variable.numpy().tobytes()
        described = json.loads(file.metadata()["fastnn"])
    assert described["version"] == 1 and described["compile"]["loss"]["class_name"] == "SparseCategoricalCrossentropy"


def test_equal_models_have_equal_files(path):
    layers.base.reset_names()
    net().save(path)
    first = path.read_bytes()
    for _ in range(5):
        layers.base.reset_names()
        net().save(path)
        assert path.read_bytes() == first


def test_the_golden_file_of_version_1():
    """Written by 0.1.0: y = tanh(x W + b) V + c, with these weights, after 10 steps of SGD of rate 0."""
    model = fastnn.load_model(GOLDEN / "version-1.safetensors")
    w, b, v, c = (a.astype(np.float64) for a in model.get_weights())
    assert w.tolist() == [[0.5, -1.0, 0.25], [1.5, 0.0, -0.75]] and b.tolist() == [0.125, -0.25, 0.5]
    x = np.array([[1.0, 2.0], [-0.5, 0.25]])
    np.testing.assert_allclose(model.predict(x, verbose=0), np.tanh(x @ w + b) @ v + c, rtol=1e-6)
    assert model.optimizer.iterations == 10 and model.optimizer.momentum == 0.5
    assert [v.numpy().any() for v in model.optimizer.slots(model.weights[0]).values()] == [True]


def test_every_bit_that_flips_is_seen(small, path):
    assert len(small) < 8000
    for place in range(8 * len(small)):
        damaged = bytearray(small)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(FormatError):
            saving.load_model(path)


def test_every_part_of_a_file_is_none(small, path):
    model = net()
    before = bits(model)
    for size in range(0, len(small)):
        path.write_bytes(small[:size])
        with pytest.raises(FormatError):
            fastnn.load_model(path)
        if size % 64 == 0:
            with pytest.raises(FormatError):
                model.load_weights(path)
    path.write_bytes(small + b"\0")
    with pytest.raises(FormatError):
        fastnn.load_model(path)
    assert bits(model) == before


def changed(small, change):
    """The file with another description, whose checksum is right."""
    header, description, rest = parts(small)
    found = change(description)
    return joined(header, description if found is None else found, rest)


def layer(number, **arguments):
    return lambda d: d["model"]["config"]["layers"][number]["config"].update(arguments)


def compiled(**arguments):
    return lambda d: d["compile"].update(arguments)


DAMAGES = {
    "units-2^40": (layer(1, units=2**40), "model"),
    "units-2^63": (layer(1, units=2**63), "model"),
    "units-negative": (layer(1, units=-1), "model"),
    "input-2^62": (layer(0, shape=[2**62]), "model"),
    "many-layers": (lambda d: d["model"]["config"]["layers"].extend(d["model"]["config"]["layers"][1:2] * 40), "model"),
    "class": (lambda d: d["model"].update(class_name="os.system"), "model"),
    "class-of-no-model": (lambda d: d.update(model={"class_name": "Dense", "config": {"units": 1}}), "model"),
    "class-number": (lambda d: d["model"].update(class_name=3), "model"),
    "no-config": (lambda d: d["model"].update(config=None), "model"),
    "argument": (layer(1, unknown=1), "model"),
    "activation": (layer(1, activation="eval"), "model"),
    "function": (layer(1, activation={"class_name": "__lambda__", "config": {"value": "4wEA"}}), "model"),
    "model-number": (lambda d: d.update(model=3), "model"),
    "floatx": (lambda d: d.update(floatx="float16"), "floatx"),
    "version": (lambda d: d.update(version=2), "version"),
    "version-text": (lambda d: d.update(version="1"), "description"),
    "no-version": (lambda d: d.pop("version") and None, "description"),
    "arrays": (lambda d: d["arrays"].popitem() and None, "arrays"),
    "no-arrays": (lambda d: d.pop("arrays") and None, "arrays"),
    "arrays-number": (lambda d: d.update(arrays=3), "arrays"),
    "array-shape": (lambda d: d["arrays"]["weights/0/dense/kernel"].__setitem__(1, [6, 4]), "array"),
    "array-entry": (lambda d: d["arrays"].update({"weights/0/dense/kernel": 0}), "array"),
    "array-checksum": (lambda d: d["arrays"]["weights/0/dense/kernel"].__setitem__(2, 0), "array"),
    "loss": (compiled(loss="__import__"), "compile"),
    "optimizer": (compiled(optimizer={"class_name": "SGD", "config": {"learning_rate": -1}}), "compile"),
    "other-optimizer": (compiled(optimizer={"class_name": "RMSprop", "config": {}}), "compile"),
    "compile-argument": (compiled(hooks=[]), "compile"),
    "compile-list": (lambda d: d.update(compile=[]), "compile"),
    "streams": (lambda d: d.update(streams=[2**32]), "model"),
    "no-streams": (lambda d: d.update(streams=[]), "model"),
    "iterations": (lambda d: d["optimizer"].update(iterations=-1), "compile"),
    "iterations-text": (lambda d: d["optimizer"].update(iterations="1"), "compile"),
    "not-decayed": (lambda d: d["optimizer"].update(not_decayed=[[99], None]), "compile"),
    "nan": (lambda d: json.dumps(d).replace('"momentum": 0.9', '"momentum": NaN'), "description"),
    "twice": (lambda d: json.dumps(d).replace('"version"', '"floatx": "float32", "version"'), "description"),
    "deep": (lambda d: json.dumps(d)[:-1] + ', "more": ' + "[" * 5000 + "]" * 5000 + "}", "description"),
    "brackets-in-text": (lambda d: json.dumps(d)[:-1] + ', "version": "' + "[" * 500 + '"}', "description"),
    "open-text": (lambda d: json.dumps(d)[:-1] + ', "' + '\\"' * 200_000, "description"),
    "metric-size": (compiled(metrics=[{"class_name": "ConfusionMatrix", "config": {"num_classes": 8000}}]), "compile"),
    "metric-classes": (compiled(metrics=[{"class_name": "MeanIoU", "config": {"num_classes": 2**29}}]), "compile"),
    "thresholds": (compiled(metrics=[{"class_name": "AUC", "config": {"num_thresholds": 2**20}}]), "compile"),
    "pattern": (lambda d: d["optimizer"].update(not_decayed=[[], "("]), "compile"),
    "place": (lambda d: d["optimizer"].update(not_decayed=[[-1], None]), "compile"),
    "no-object": (lambda d: "[]", "description"),
    "no-json": (lambda d: "{", "description"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_descriptions_that_say_something_else(name, small, path):
    change, field = DAMAGES[name]
    path.write_bytes(changed(small, change))
    with pytest.raises(FormatError) as caught:
        fastnn.load_model(path)
    error = caught.value
    assert error.path == str(path) and field in error.field and error.reason and str(path) in str(error)


def test_an_unchanged_description_is_fine(small, path):
    path.write_bytes(changed(small, lambda d: None))
    assert fastnn.load_model(path).optimizer.momentum == 0.9


@pytest.mark.parametrize("size", [2**20, 2**40, 2**62, 2**63 - 1, 2**64 - 1])
@pytest.mark.parametrize("where", ["header", "shape", "offsets"])
def test_sizes_beyond_the_file_take_no_memory(size, where, small, path):
    length = struct.unpack("<Q", small[:8])[0]
    header = json.loads(small[8 : 8 + length])
    if where == "shape":
        header["weights/0/dense/kernel"]["shape"] = [size, size]
    if where == "offsets":
        header["weights/0/dense/kernel"]["data_offsets"][1] = size
    new = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", size if where == "header" else len(new)) + new + small[8 + length :])
    with pytest.raises(FormatError):
        fastnn.load_model(path)


def test_files_that_are_none_of_ours(path):
    path.write_bytes(safetensors.serialize({}))
    with pytest.raises(FormatError, match="metadata"):
        fastnn.load_model(path)
    path.write_bytes(b"")
    with pytest.raises(FormatError):
        fastnn.load_model(path)
    with pytest.raises(FileNotFoundError):
        fastnn.load_model(path.with_name("nothing"))
    with pytest.raises(OSError):
        fastnn.load_model(path.parent)


WATCHED = """
import sys
import numpy as np
import fastnn
path, seen = sys.argv[1], []
fastnn.load_model(path).predict(np.zeros((1, 4)), verbose=0)  # imports what it needs

def watch(event, arguments):
    if event.split(".")[0] in ("open", "compile", "exec", "import", "os", "subprocess", "socket", "ctypes", "pickle"):
        seen.append((event, str(arguments[0])))

sys.addaudithook(watch)
fastnn.load_model(path)
print(seen)
"""


def test_loading_runs_no_code_and_opens_no_other_file(small, path):
    path.write_bytes(small)
    done = subprocess.run([sys.executable, "-c", WATCHED, str(path)], capture_output=True, text=True, check=True)
    seen = [(event, what) for event, what in eval(done.stdout) if what != str(path)]
    assert seen == []


OPERATIONS = {
    "slice-beyond": ("slice", {"starts": [0, 10_000], "sizes": [-1, 4], "steps": [1, 1]}, [None], [0]),
    "slice-far": ("slice", {"starts": [0, 10**9], "sizes": [-1, 4], "steps": [1, 1]}, [None], [0]),
    "slice-before": ("slice", {"starts": [0, -5], "sizes": [-1, 4], "steps": [1, 1]}, [None], [0]),
    "slice-step": ("slice", {"starts": [0, 0], "sizes": [-1, 4], "steps": [1, 9]}, [None], [0]),
    "slice-no-step": ("slice", {"starts": [0, 0], "sizes": [-1, 2], "steps": [1, 0]}, [None], [0]),
    "slice-batch": ("slice", {"starts": [0, 0], "sizes": [5, 2], "steps": [1, 1]}, [None], [0]),
    "slice-axes": ("slice", {"starts": [0], "sizes": [-1], "steps": [1]}, [None], [0]),
    "transpose": ("transpose", {"axes": [0, 0]}, [None], [0]),
    "transpose-batch": ("transpose", {"axes": [1, 0]}, [None], [0]),
    "sum": ("sum", {"axes": [7]}, [None], [0]),
    "sum-twice": ("sum", {"axes": [1, 1]}, [None], [0]),
    "concatenate": ("concatenate", {"axis": -3}, [None, None], [0, 0]),
    "gradient": ("slice_grad", {"starts": [0, 100], "steps": [1, 1]}, [None, None], [0, 0]),
    "dense-gradient": ("dense_grad_input", {}, [None, [1.0, 2.0, 3.0]], [0]),
    "assign": ("assign", {}, [None, None], [0, 0]),
    "update": ("sgd", {"momentum": 0.0, "nesterov": 0}, [None, None, None, None], [0, 0]),
    "python": ("python", {}, [None], [0]),
    "nothing": ("nothing", {}, [None], [0]),
    "places": ("add", {}, [None, None], [0, 5]),
    "dense": ("dense", {}, [None, [1.0]], [0]),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_of_a_file_stay_within_their_arrays(name, path):
    operation, attributes, given, places = OPERATIONS[name]
    inputs = fastnn.Input((4,), name="in")
    fastnn.Model(inputs, inputs * 2.0).save(path)

    def change(d):
        for entry in d["model"]["config"]["layers"]:
            if entry["class_name"] == "Operation":
                entry["config"] |= {"operation": operation, "attributes": attributes, "given": given, "places": places}
                if len(places) > 1:
                    (tensors,) = entry["inbound_nodes"][0]["args"]
                    entry["inbound_nodes"][0]["args"] = [tensors * len(places)]

    path.write_bytes(changed(path.read_bytes(), change))
    with pytest.raises(FormatError):
        fastnn.load_model(path)


# ---- writing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("call", ["open", "write", "fsync", "close", "replace"])
@pytest.mark.parametrize("old", [b"old", None], ids=["old", "new"])
def test_an_error_while_writing_keeps_the_old_file(call, number, old, path, monkeypatch):
    if old:
        path.write_bytes(old)
    real = getattr(os, call)

    def fail(*arguments, **options):
        if call == "close":
            real(*arguments)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, call, fail)
    with pytest.raises(OSError) as caught:
        net().save(path)
    monkeypatch.undo()
    assert caught.value.errno == number and caught.value.filename == str(path)
    assert [p.name for p in path.parent.iterdir()] == ([path.name] if old else [])
    assert not old or path.read_bytes() == old


def test_writes_that_take_a_part_only(path, monkeypatch):
    real, model = os.write, net()
    monkeypatch.setattr(files.os, "write", lambda descriptor, data: real(descriptor, data[:100]))
    model.save(path)
    monkeypatch.undo()
    assert bits(fastnn.load_model(path)) == bits(model)


def test_what_reaches_the_disk_in_which_order(path, monkeypatch):
    calls = []
    for name in ("write", "fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(files.os, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1])
    net().save(path)
    assert [c for i, c in enumerate(calls) if i == 0 or calls[i - 1] != c] == ["write", "fsync", "replace", "fsync"]


@pytest.mark.skipif(os.name != "posix", reason="needs links and permissions of POSIX")
def test_links_and_permissions_stay(tmp_path):
    target, link = tmp_path / "real", tmp_path / "link.safetensors"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    net().save(link)
    assert link.is_symlink() and target.stat().st_mode & 0o777 == 0o640 and fastnn.load_model(target)


def test_nothing_is_written_of_what_has_no_configuration(path):
    path.write_bytes(b"old")
    inputs = fastnn.Input((4,))
    model = fastnn.Model(inputs, layers.Lambda(lambda x: x * 2)(inputs))
    with pytest.raises(ValueError, match="function of layer"):
        model.save(path)
    model = net()
    model.compile("sgd", lambda y_true, y_pred: fastnn.ops.mean(fastnn.ops.square(y_true - y_pred), axis=-1))
    with pytest.raises(ValueError, match="register"):
        model.save(path)
    model.compile(optimizers.SGD(lambda: 0.1), "mse")
    with pytest.raises((ValueError, TypeError), match="configuration"):
        model.save(path)
    assert path.read_bytes() == b"old"


WRONG = {
    "model": (lambda p: saving.save_model(3, p), TypeError, "model: received 3"),
    "unbuilt": (lambda p: fastnn.Sequential([layers.Dense(1)]).save(p), ValueError, "no weights yet"),
    "unbuilt-weights": (lambda p: fastnn.Sequential([layers.Dense(1)]).load_weights(p), ValueError, "no weights yet"),
    "path": (lambda p: net().save(3), TypeError, "filepath: received 3"),
    "path-bytes": (lambda p: net().save(b"model"), TypeError, "filepath: received b'model'"),
    "keras": (lambda p: net().save("model.keras"), ValueError, "safetensors"),
    "h5": (lambda p: net().save_weights("model.weights.h5"), ValueError, "safetensors"),
    "h5-load": (lambda p: fastnn.load_model("model.H5"), ValueError, "safetensors"),
    "overwrite": (lambda p: net().save(p, overwrite=False), FileExistsError, "overwrite=True"),
    "overwrite-text": (lambda p: net().save(p, overwrite="no"), TypeError, "overwrite: received 'no'"),
    "custom": (lambda p: fastnn.load_model(p, [Twice]), TypeError, "custom_objects"),
    "custom-entry": (lambda p: fastnn.load_model(p, {"Twice": 3}), TypeError, "custom_objects"),
    "compile": (lambda p: fastnn.load_model(p, compile="no"), TypeError, "compile: received 'no'"),
    "safe-mode": (lambda p: fastnn.load_model(p, safe_mode=False), ValueError, "safe_mode: received False"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments(name, small, path):
    path.write_bytes(small)
    call, kind, message = WRONG[name]
    with pytest.raises(kind, match=re.escape(message)):
        call(path)
    assert path.read_bytes() == small


def test_large_arrays_are_read_in_pieces(path, monkeypatch):
    monkeypatch.setattr(container, "PIECE", 64)
    model = net()
    model.save(path)
    assert bits(fastnn.load_model(path)) == bits(model)
