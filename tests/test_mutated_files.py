"""Files of models that were changed at random: the same content or FormatError, in memory of the file's size."""

import json
import random
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest

import fastnn
from fastnn import FormatError, layers, optimizers, schedules
from fastnn.metrics.scorers import scorer_names

MORE_MEMORY = 16 << 20
NUMBERS = [0, -1, 1, 7, 2**20, 2**31, 2**40, 2**63, 2**64, 10**30, 0.5, -0.0, 1e-300, 1e308]
THINGS = [
    None,
    True,
    False,
    "",
    "x",
    "float32",
    "os.system",
    "Dense",
    "Sequential",
    "relu",
    [],
    {},
    [[]],
    {"class_name": "Dense"},
]


def chain():
    model = fastnn.Sequential(
        [
            layers.Dense(6, activation="relu", input_shape=(4,), kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.PReLU(),
            layers.Dropout(0.2),
            layers.RepeatVector(3),
            layers.Permute((2, 1)),
            layers.Reshape((2, 9)),
            layers.Flatten(),
            layers.Maxout(3, 2),
            layers.Dense(3, activation="softmax", kernel_constraint="unit_norm"),
        ]
    )
    model.compile(
        optimizers.SGD(schedules.CosineDecay(0.1, 10), momentum=0.9), "sparse_categorical_crossentropy", metrics=["acc"]
    )
    model.fit(np.ones((6, 4)), np.arange(6) % 3, epochs=1, verbose=0)
    return model


def graph():
    a, b = fastnn.Input((4,), name="a"), fastnn.Input((2,), name="b")
    x = layers.Concatenate()([layers.Dense(3, activation="tanh")(a), b])
    x = layers.LayerNormalization()(x) * 2.0 + 1.0
    model = fastnn.Model({"a": a, "b": b}, [layers.Dense(1)(x), layers.RBF(2)(x)])
    model.compile(optimizers.Adam(0.01, use_ema=True), ["mse", "mae"], loss_weights=[1.0, 0.5], metrics=[["mae"], []])
    model.fit({"a": np.ones((6, 4)), "b": np.ones((6, 2))}, [np.ones((6, 1)), np.ones((6, 2))], epochs=1, verbose=0)
    return model


def content(model):
    kept = model.optimizer.state(model.variables)
    arrays = [w.tobytes() for w in model.get_weights()] + [kept[name].tobytes() for name in sorted(kept)]
    return arrays, json.dumps(model.get_config(), default=str), json.dumps(model.optimizer.get_config(), default=str)


def parts(data):
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    description = json.loads(header["__metadata__"]["fastnn"])
    del description["crc32"]
    return header, description, data[8 + length :]


def joined(header, description, rest):
    text = description if isinstance(description, str) else json.dumps(description)
    header["__metadata__"]["fastnn"] = f'{{"crc32":"{zlib.crc32(text.encode()):08x}",{text[1:]}'
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def places(value, found, within=()):
    """All places in lists and dicts."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        found.append((value, key))
        if isinstance(part, (dict, list)):
            places(part, found, (*within, key))
    return found


def described_otherwise(rng, data):
    """With another description, or another header, that fits its checksum."""
    header, description, rest = parts(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        found = places(rng.choice([description, description, description, header]), [])
        owner, key = rng.choice(found)
        kind = rng.randrange(6)
        if kind == 0 and isinstance(owner, dict):
            del owner[key]
        elif kind == 1 and isinstance(owner, dict):
            owner[rng.choice(["name", "units", "config", "x", "shape"])] = owner[key]
        elif kind == 2:
            owner[key] = rng.choice(THINGS)
        elif kind == 3:
            other, place = rng.choice(found)
            owner[key] = (
                json.loads(json.dumps(other[place]))
                if place in (other if isinstance(other, dict) else range(len(other)))
                else 0
            )
        elif kind == 4 and isinstance(owner[key], list):
            owner[key] = owner[key] * rng.choice([0, 2, 3])
        else:
            owner[key] = rng.choice(NUMBERS)
        if not isinstance(header.get("__metadata__"), dict) or not isinstance(description, dict):
            break
    if not isinstance(header.get("__metadata__"), dict):
        header["__metadata__"] = {}
    return joined(header, description, rest)


def other_bytes(rng, data):
    """With some bytes changed, removed, repeated or moved."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at, size = rng.randrange(len(data)), rng.randrange(1, 40)
        kind = rng.randrange(5)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + size] = rng.randbytes(size)
        elif kind == 2:
            del data[at : at + size]
        elif kind == 3:
            data[at:at] = data[rng.randrange(len(data)) :][:size]
        else:
            data[:8] = struct.pack("<Q", rng.choice([0, 1, len(data), 2**31, 2**63, 2**64 - 1]))
        if not data:
            break
    return bytes(data)


def test_a_large_file_takes_memory_of_its_size(tmp_path):
    path = tmp_path / "model.safetensors"
    model = fastnn.Sequential([layers.Dense(3000, input_shape=(2000,))])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(path)
    size = path.stat().st_size
    assert size > 4 * MORE_MEMORY  # 72 MB
    tracemalloc.start()
    try:
        again = fastnn.load_model(path)
        loaded = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        again.load_weights(path)
        weights = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert loaded <= size + MORE_MEMORY and weights <= MORE_MEMORY
    assert content(again) == content(model)


@pytest.mark.parametrize("count", [5000, pytest.param(50_000, marks=pytest.mark.long)])
def test_a_changed_file_is_the_same_or_refused(count, tmp_path):
    rng, path, bases, outcomes = (
        random.Random(1),
        tmp_path / "model.safetensors",
        [],
        {"same": 0, "other": 0, "refused": 0},
    )
    for make in (chain, graph):
        layers.base.reset_names()
        model = make()
        model.save(path)
        bases.append((path.read_bytes(), content(model)))
        assert content(fastnn.load_model(path)) == bases[-1][1]
    scorer_names()  # imports scikit-learn where it is installed, which a name of no metric would do
    tracemalloc.start()
    try:
        for number in range(count):
            data, expected = bases[number % 2]
            signed = rng.random() < 0.5
            changed = described_otherwise(rng, data) if signed else other_bytes(rng, data)
            path.write_bytes(changed)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model = fastnn.load_model(path)
            except FormatError as error:
                outcomes["refused"] += 1
                assert error.path == str(path) and error.field
            else:
                same = (model.optimizer is not None) and content(model) == expected
                assert same or signed
                outcomes["same" if same else "other"] += 1
                del model
            assert tracemalloc.get_traced_memory()[1] - before <= len(changed) + MORE_MEMORY
    finally:
        tracemalloc.stop()
    assert min(outcomes.values()) > count // 200, outcomes  # all three happen
