"""Write a layer of your own with `fastnn.ops`: it is recorded and compiled like a built-in one.

The plan that is printed shows it: one segment in C, and in it the product, the bias and the activation as one kernel.

    python examples/custom_layer.py
"""

import numpy as np

import fastnn
from fastnn import layers, ops


class OwnDense(layers.Layer):
    """``activation(x W + b)``, as `layers.Dense`."""

    def __init__(self, units, activation=ops.tanh, **kwargs):
        super().__init__(**kwargs)  # name, trainable, input_shape
        self.units, self.activation = units, activation

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs):
        return self.activation(inputs @ self.kernel + self.bias)


class Residual(layers.Layer):
    """``x + f(x)``: a layer made of a layer. What it keeps in its attributes is trained with it."""

    def build(self, input_shape):
        self.inner = OwnDense(input_shape[-1])

    def call(self, inputs):
        return inputs + self.inner(inputs)


def rings(samples, rng):
    """Points in the plane, and whether they lie outside the unit circle."""
    x = rng.standard_normal((samples, 2)).astype("float32")
    return x, (np.hypot(x[:, 0], x[:, 1]) > 1).astype("float32")


def main():
    fastnn.set_random_seed(1)
    x, y = rings(2000, np.random.default_rng(1))
    model = fastnn.Sequential([layers.Input(shape=(2,)), OwnDense(16), Residual(), OwnDense(1, ops.sigmoid)])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    print(model.describe())
    model.fit(x[:1500], y[:1500], epochs=60, verbose=0)
    loss, accuracy = model.evaluate(x[1500:], y[1500:], verbose=0)
    print(f"Test loss {loss:.4f}, test accuracy {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    main()
