"""Write a loss, a metric, an optimizer and a callback of your own.

Loss and optimizer are written with `fastnn.ops` and run in C; metric and callback are plain Python.

    python examples/custom_loss_metric_optimizer.py
"""

import numpy as np

import fastnn
from fastnn import callbacks, layers, metrics, ops, optimizers


def squared_error(y_true, y_pred):
    """The textbook formula: one value per sample."""
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class RootMeanSquaredError(metrics.Metric):
    """Root of the mean over all samples so far, not the mean of the batches' roots."""

    def __init__(self, name="rmse"):
        super().__init__(name)
        self.total = self.add_variable(name="total")
        self.weight = self.add_variable(name="weight")

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = np.mean(np.square(y_true - y_pred), axis=-1, dtype="float64")
        weight = np.ones(len(error)) if sample_weight is None else sample_weight
        self.total.assign_add(np.sum(weight * error))
        self.weight.assign_add(np.sum(weight))

    def result(self):
        return np.sqrt(float(self.total) / float(self.weight))


class Momentum(optimizers.Optimizer):
    """``m = beta m - rate g;  w = w + m``, as `optimizers.SGD` with momentum."""

    slot_names = ("m",)  # begins at zero, one of the variable's shape for each

    def __init__(self, learning_rate=0.01, beta=0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta = beta

    def update(self, w, g, slots, scalars):
        m = self.beta * slots["m"] - scalars * g  # scalars holds the learning rate of the step
        return w + m, m


class StopBelow(callbacks.Callback):
    """End training when something has become small enough."""

    def __init__(self, monitor, value):
        self.monitor, self.value = monitor, value

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = logs[self.monitor] < self.value


def main():
    fastnn.set_random_seed(1)
    x = np.random.default_rng(1).uniform(-2, 2, (1000, 1)).astype("float32")
    model = fastnn.Sequential([layers.Dense(32, activation="tanh", input_shape=(1,)), layers.Dense(1)])
    model.compile(Momentum(0.02), squared_error, metrics=[RootMeanSquaredError()])
    history = model.fit(x, np.sin(2 * x), epochs=200, verbose=0, callbacks=[StopBelow("rmse", 0.05)]).history
    print(f"rmse {history['rmse'][0]:.3f} -> {history['rmse'][-1]:.3f} in {len(history['rmse'])} epochs")
    return history


if __name__ == "__main__":
    main()
