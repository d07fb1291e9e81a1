"""XOR, which no single unit can compute: by step units whose weights are set by hand, and by training.

python examples/xor.py [--seeds N]
"""

import argparse

import numpy as np

import fastnn
from fastnn import layers, optimizers

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
Y = np.array([0, 1, 1, 0])


def by_hand():
    """Two step units, "at least one" and "both", and a third that asks for the first without the second.

    Minsky and Papert (1969), "Perceptrons". The gradient of a step is 0, so that such a net cannot be trained.
    """
    model = fastnn.Sequential(
        [
            layers.Dense(2, activation="step", input_shape=(2,)),
            layers.Dense(1, activation="step"),
        ]
    )
    model.set_weights([[[1, 1], [1, 1]], [-0.5, -1.5], [[1], [-1]], [-0.5]])
    return model


def by_training(seed):
    """A net 2-8-1 after 400 steps on all four cases."""
    fastnn.set_random_seed(seed)
    model = fastnn.Sequential(
        [
            layers.Dense(8, activation="tanh", input_shape=(2,)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizers.Adam(0.05), "binary_crossentropy")
    model.fit(X, Y, batch_size=4, epochs=400, verbose=0)
    return model


def solved(model):
    """Whether all four answers are right."""
    return bool(((model.predict(X, verbose=0)[:, 0] > 0.5) == Y).all())


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args(arguments)

    print("x1 x2  step units  trained")
    models = by_hand(), by_training(seed=0)
    for (x1, x2), hand, trained in zip(X, *(model.predict(X, verbose=0)[:, 0] for model in models), strict=True):
        print(f"{x1:2} {x2:2}  {hand:10.0f}  {trained:7.3f}")
    number = sum(solved(by_training(seed)) for seed in range(options.seeds))
    print(f"Solved from {number} of {options.seeds} seeds")
    return solved(models[0]), number


if __name__ == "__main__":
    main()
