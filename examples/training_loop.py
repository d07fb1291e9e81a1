"""Write the training loop yourself: `fastnn.value_and_grad` differentiates by any variables and any inputs.

First a model is trained on noisy moons, then the gradient of the loss by the inputs makes *adversarial* ones: each
point moves a little where the loss grows fastest (Goodfellow et al., 2015).

    python examples/training_loop.py
"""

import numpy as np

import fastnn
from fastnn import layers, losses, optimizers


def moons(samples, rng):
    """Two half circles that reach into each other, and which of them a point belongs to."""
    y = rng.integers(0, 2, samples)
    angle = np.pi * rng.uniform(size=samples)
    x = np.stack([np.cos(angle) + y - 0.5, np.sin(angle) * (1 - 2 * y) + 0.5 * y - 0.25], axis=1)
    return (x + 0.1 * rng.standard_normal(x.shape)).astype("float32"), y


def train(model, x, y, epochs, batch_size, rng):
    """Fit the model, written out."""
    loss, optimizer = losses.SparseCategoricalCrossentropy(), optimizers.Adam(0.01)
    step = fastnn.value_and_grad(lambda x, y: loss(y, model(x, training=True)), model.trainable_variables)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for first in range(0, len(x), batch_size):
            batch = order[first : first + batch_size]
            value, gradients = step(x[batch], y[batch])  # runs in C, recorded at the first call
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return value


def adversarial(model, x, y, distance):
    """Inputs moved against the model."""
    loss = losses.SparseCategoricalCrossentropy(reduction="sum")
    by_input = fastnn.value_and_grad(lambda x, y: loss(y, model(x)), [0])  # by argument 0, x
    _, (slope,) = by_input(x, y)
    return x + distance * np.sign(slope)


def accuracy(model, x, y):
    return np.mean(model.predict(x).argmax(axis=-1) == y)


def main():
    fastnn.set_random_seed(1)
    rng = np.random.default_rng(1)
    (x, y), (x_test, y_test) = moons(1000, rng), moons(500, rng)
    model = fastnn.Sequential(
        [layers.Input(shape=(2,)), layers.Dense(32, activation="relu"), layers.Dense(2, activation="softmax")]
    )
    train(model, x, y, epochs=30, batch_size=32, rng=rng)
    found = accuracy(model, x_test, y_test), accuracy(model, adversarial(model, x_test, y_test, 0.2), y_test)
    print(f"Test accuracy {found[0]:.3f}; {found[1]:.3f} when each coordinate moves by 0.2 against the model")
    return found


if __name__ == "__main__":
    main()
