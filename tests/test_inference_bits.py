"""Inference: a row of the input gives the same bits in whatever company it is computed."""

import numpy as np
import pytest
from harness import ISAS
from nets import THREADS, class_patterns, force, spy_on_calls

import fastnn
from fastnn.layers import BatchNormalization, Dense, Dropout, Flatten, LayerNormalization, Reshape

X, Y = class_patterns(150, width=20, classes=7)
ORDER = np.random.default_rng(5).permutation(len(X))


def make():
    """A layer wide enough for packed panels, one deep enough for several blocks of k, several activations."""
    fastnn.set_random_seed(11)
    model = fastnn.Sequential(
        [
            Dense(1024, activation="gelu", bias_initializer="random_normal", input_shape=(20,)),
            BatchNormalization(moving_mean_initializer="random_normal", beta_initializer="random_normal"),
            Dense(18, activation="elu", bias_initializer="random_normal"),
            Reshape((3, 6)),
            LayerNormalization(),
            Dense(5, activation="sigmoid"),
            Flatten(),
            Dropout(0.5),
            Dense(7, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture(scope="module")
def reference():
    """Predictions, loss and accuracy with the settings that are usual here."""
    model = make()
    return model.predict(X), model.evaluate(X, Y, batch_size=32, verbose=0)


def equal(a, b):
    return a.shape == b.shape and a.dtype == b.dtype == np.float32 and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("isa", ISAS)
def test_a_row_has_the_same_bits_alone_in_any_batch_and_in_any_order(isa, threads, reference, monkeypatch):
    force(monkeypatch, isa, threads)
    calls, model, (wanted, scores) = spy_on_calls(monkeypatch), make(), reference
    for batch_size in (1, 2, 7, 32, 64, 149, 150, 1000):
        assert equal(model.predict(X, batch_size=batch_size), wanted), batch_size
    assert equal(np.concatenate([model.predict(x[np.newaxis]) for x in X[:40]]), wanted[:40])
    assert equal(model.predict(X[ORDER], batch_size=64), wanted[ORDER])
    assert equal(model.predict(X[::-1]), wanted[::-1].copy())
    assert equal(model.predict(X[37:41]), wanted[37:41])
    assert model.evaluate(X, Y, batch_size=32, verbose=0) == scores
    assert {(call.isa, call.team) for call in calls} == {(isa, threads)}


def test_threads_chosen_by_cost_change_nothing(reference, monkeypatch):
    monkeypatch.delenv("FASTNN_FORCE_THREADS", raising=False)
    model, (wanted, scores) = make(), reference
    for threads in THREADS:
        with fastnn.threads(threads):
            assert equal(model.predict(X, batch_size=150), wanted)
            assert model.evaluate(X, Y, batch_size=32, verbose=0) == scores


def test_all_ways_to_predict_agree(reference):
    model, (wanted, _) = make(), reference
    for x in (X, X.astype(np.float64), np.asfortranarray(X), X.tolist(), np.repeat(X, 2, axis=0)[::2]):
        assert equal(model.predict(x), wanted)
        assert equal(model(x), wanted)
        assert equal(model.predict_on_batch(x), wanted)


def test_training_leaves_the_plan_of_predictions_valid(reference):
    """Weights are read where they are, so a program made before training sees the trained ones."""
    model, (wanted, _) = make(), reference
    assert equal(model.predict(X), wanted)
    model.fit(X, Y, batch_size=50, verbose=0)
    assert not equal(model.predict(X), wanted)
    other = make()
    other.set_weights(model.get_weights())
    assert equal(other.predict(X), model.predict(X))
