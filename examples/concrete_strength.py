"""Predict the compressive strength of concrete from its mixture and age: a regression with 8-512-512-512-1.

The data are those of Yeh (1998): 1030 mixtures, of which 206 are kept for testing.

    python examples/concrete_strength.py [--epochs N]
"""

import argparse

import fastnn
from fastnn import layers, optimizers, schedules


def load():
    """Inputs with mean 0 and standard deviation 1 in the training part, and strengths in MPa."""
    (x_train, y_train), (x_test, y_test) = fastnn.datasets.concrete.load_data()
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    return ((x_train - mean) / deviation, y_train), ((x_test - mean) / deviation, y_test)


def build(epochs, steps):
    """The network; its learning rate falls to 3 % of its first value."""
    model = fastnn.Sequential(
        [
            layers.Input(shape=(8,)),
            *(layers.Dense(512, activation="relu") for _ in range(3)),
            layers.Dense(1),
        ]
    )
    rate = schedules.ExponentialDecay(3e-3, decay_steps=epochs * steps, decay_rate=0.03)
    model.compile(optimizers.Adam(rate), "mse", metrics=["mae"])
    return model


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args(arguments)

    (x_train, y_train), (x_test, y_test) = load()
    fastnn.set_random_seed(1)
    model = build(options.epochs, -(-len(x_train) // 32))
    model.fit(x_train, y_train, batch_size=32, epochs=options.epochs, verbose=0)
    (_, seen), (_, unseen) = (model.evaluate(x, y, verbose=0) for x, y in ((x_train, y_train), (x_test, y_test)))
    print(f"Mean absolute error {seen:.2f} MPa on {len(x_train)} mixtures, {unseen:.2f} MPa on {len(x_test)} others")
    return unseen


if __name__ == "__main__":
    main()
