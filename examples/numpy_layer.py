"""Write a layer in plain NumPy, with its own gradient, for what `fastnn.ops` cannot express.

It runs in Python between two segments of the plan, which still run in C, on views of their memory. The printed plan
says "Python" in the column threads of its steps, and the table behind it says whether the gradient is right.

    python examples/numpy_layer.py
"""

import numpy as np

import fastnn
from fastnn import layers, ops


def softplus(x, beta):
    """``log(1 + exp(beta x)) / beta``: a ReLU with a corner that is the rounder, the smaller beta is."""
    return np.logaddexp(0, beta * x) / beta


def softplus_gradient(dy, x, beta):
    """Gradients by both inputs, given the one by the result."""
    slope = (1 + np.tanh(beta * x / 2)) / 2  # the logistic function
    by_beta = (x * slope - softplus(x, beta)) / beta
    return dy * slope, np.sum(dy * by_beta)  # beta has no axes: it gets the sum over all elements


class Softplus(layers.Layer):
    """Softplus with a trained sharpness."""

    def build(self, input_shape):
        self.beta = self.add_weight(shape=(), initializer="ones", name="beta")

    def call(self, inputs):
        return ops.python(softplus, inputs, self.beta, gradient=softplus_gradient)


def main():
    fastnn.set_random_seed(1)
    x = np.linspace(-3, 3, 600, dtype="float32")[:, None]
    y = np.abs(x)  # which asks for sharp corners
    model = fastnn.Sequential([layers.Input(shape=(1,)), layers.Dense(4), Softplus(name="softplus"), layers.Dense(1)])
    model.compile(fastnn.optimizers.Adam(0.02), "mse")
    print(model.describe())
    print(fastnn.gradient_check(model, x[::20], y[::20]))
    loss = model.fit(x, y, epochs=60, verbose=0).history["loss"]
    beta = float(model.get_layer("softplus").beta)
    print(f"Loss {loss[0]:.4f} -> {loss[-1]:.5f}, sharpness 1 -> {beta:.2f}")
    return loss[-1], beta


if __name__ == "__main__":
    main()
