"""Two kinds of inputs, a branch of layers for each, joined into one prediction.

A machine runs through a cycle: 16 readings of a vibration, and three settings. The wear depends on both: on how
strongly the vibration swings, and on the settings that say how much of it does harm.

    python examples/two_branch.py
"""

import numpy as np

import fastnn
from fastnn import Input, Model, layers


def cycles(samples, rng):
    """Readings, settings, and the wear."""
    time = np.linspace(0, 2 * np.pi, 16)
    swing, phase = rng.uniform(0, 2, (samples, 1)), rng.uniform(0, 2 * np.pi, (samples, 1))
    readings = swing * np.sin(time + phase) + 0.1 * rng.standard_normal((samples, 16))
    settings = rng.uniform(-1, 1, (samples, 3))
    wear = swing[:, 0] * np.maximum(settings[:, 0], 0) + 0.5 * settings[:, 1]
    return {"readings": readings, "settings": settings}, wear


def build():
    readings, settings = Input((16,), name="readings"), Input((3,), name="settings")
    left = layers.Dense(32, activation="relu")(readings)
    left = layers.Dense(8, activation="relu")(left)
    right = layers.Dense(8, activation="relu")(settings)
    joined = layers.Concatenate()([left, right])
    joined = layers.Dense(16, activation="relu")(joined)
    model = Model([readings, settings], layers.Dense(1, name="wear")(joined), name="two_branch")
    model.compile("adam", "mse", metrics=["mae"])
    return model


def main(epochs=30):
    fastnn.set_random_seed(1)
    rng = np.random.default_rng(1)
    train, test = cycles(4000, rng), cycles(1000, rng)
    model = build()
    model.summary(line_length=100)
    model.fit(*train, epochs=epochs, verbose=0)
    _, error = model.evaluate(*test, verbose=0)
    guess = np.abs(test[1] - train[1].mean()).mean()
    print(f"Mean error of the wear: {error:.3f}; of always guessing the mean: {guess:.3f}")
    return error, guess


if __name__ == "__main__":
    main()
