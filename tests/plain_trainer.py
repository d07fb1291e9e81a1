"""A multi-layer perceptron and its training, in plain NumPy and nothing else.

Written from the textbook formulas and those of the Keras documentation, to be compared with fastnn.
Weights are a list ``[w, b, w, b, ...]``; all arrays have one floating type, which decides the precision.
"""

import numpy as np

ACTIVATIONS = {  # value, and derivative as a function of the value
    "relu": (lambda z: np.maximum(z, 0), lambda y: (y > 0).astype(y.dtype)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda y: y * (1 - y)),
    "tanh": (np.tanh, lambda y: 1 - y * y),
}


def initial_weights(sizes, rng):
    """Glorot uniform kernels, small biases."""
    weights, inputs = [], sizes[0]
    for outputs in sizes[1:]:
        limit = np.sqrt(6 / (inputs + outputs))
        weights += [rng.uniform(-limit, limit, (inputs, outputs)), rng.uniform(-0.1, 0.1, outputs)]
        inputs = outputs
    return weights


def loss_and_gradients(weights, x, labels, activation):
    """Mean softmax cross-entropy and its gradients."""
    value, slope = ACTIVATIONS[activation]
    kept = [x]
    for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        kept.append(value(kept[-1] @ w + b))
    logits = kept[-1] @ weights[-2] + weights[-1]
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    sums = exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(x))
    loss = np.mean(np.log(sums[:, 0]) - logits[rows, labels])
    dz = exponentials / sums
    dz[rows, labels] -= 1
    dz /= len(x)
    gradients = []
    for y, w in zip(kept[::-1], weights[-2::-2], strict=True):
        gradients = [y.T @ dz, dz.sum(axis=0), *gradients]
        dz = (dz @ w.T) * slope(y)
    return loss, gradients


def sgd(w, g, m, v, t, lr=0.05, momentum=0.9):
    m[...] = momentum * m - lr * g
    w += m


def rmsprop(w, g, m, v, t, lr=0.001, rho=0.9, epsilon=1e-7):
    v[...] = rho * v + (1 - rho) * g * g
    w -= lr * g / np.sqrt(v + epsilon)


def adam(w, g, m, v, t, lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    m += (g - m) * (1 - beta_1)
    v += (g * g - v) * (1 - beta_2)
    w -= lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)


def train(weights, batches, activation, update, dtype):
    """Yield loss and weights after each step on the batches ``(x, labels)``."""
    weights = [w.astype(dtype) for w in weights]
    slots = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for t, (x, labels) in enumerate(batches, start=1):
        loss, gradients = loss_and_gradients(weights, x.astype(dtype), labels, activation)
        for w, g, (m, v) in zip(weights, gradients, slots, strict=True):
            update(w, g, m, v, t)
        yield loss, [w.copy() for w in weights]
