"""The same training in fastnn and in its peers, each the way its own users write it fast.

A contender has ``build(load)``, which makes the network of a `Workload` with its given weights, and
``run(steps)``, which trains so many steps on freshly shuffled data and returns their mean loss.
Run as a script, this is the process of one contender: ``contenders.py NAME`` reads commands from
its standard input and answers on its standard output, one line of JSON each.
"""

import importlib
import json
import math
import os
import sys
import time
from itertools import pairwise

import numpy as np
from workloads import WORKLOADS

EPSILON = 1e-7  # of Adam


class Fastnn:
    """What ``fit`` delivers, an epoch per round, with all that it does around the steps."""

    def build(self, load):
        import fastnn
        from fastnn import layers, losses, optimizers

        fastnn.set_random_seed(0)
        self.batch, self.epoch, (self.x, self.y) = load.batch, 0, load.data()
        self.model = fastnn.Sequential([layers.Input((load.sizes[0],))])
        for i, units in enumerate(load.sizes[1:-1], 1):
            self.model.add(layers.Dense(units, activation=load.activation))
            if i in load.dropped:
                self.model.add(layers.Dropout(load.dropout))
        classes = load.loss == "crossentropy"
        self.model.add(layers.Dense(load.sizes[-1], activation="softmax" if classes else None))
        self.model.set_weights(load.weights())
        adam, sgd = optimizers.Adam(load.rate, epsilon=EPSILON), optimizers.SGD(load.rate)
        loss = losses.SparseCategoricalCrossentropy() if classes else losses.MeanSquaredError()
        self.model.compile(adam if load.optimizer == "adam" else sgd, loss)

    def run(self, steps):
        rows = steps * self.batch
        self.epoch += 1  # each epoch has an order of its own
        history = self.model.fit(
            self.x[:rows], self.y[:rows], self.batch, self.epoch, verbose=0, initial_epoch=self.epoch - 1
        )
        return history.history["loss"][0]


class NumPy:
    """By hand: float32, every array made once and written in place, one vector for all weights."""

    chunk = 65536  # elements of Adam's five vectors that the second-level cache holds

    def build(self, load):
        self.load, self.rng, self.t, (self.x, self.y) = load, np.random.default_rng(0), 0, load.data()
        weights = load.weights()
        ends = np.cumsum([w.size for w in weights])
        self.flat = np.zeros((5, ends[-1]), np.float32)  # weights, gradients, Adam's m and v, scratch
        self.w, self.g = (
            [part.reshape(w.shape) for part, w in zip(np.split(row, ends[:-1]), weights, strict=True)]
            for row in self.flat[:2]
        )
        for view, values in zip(self.w, weights, strict=True):
            view[...] = values
        self.a, self.d, self.keep = ([np.empty((load.batch, n), np.float32) for n in load.sizes] for _ in range(3))
        self.active = [np.empty((load.batch, n), bool) for n in load.sizes]
        self.ones, self.every = np.ones(load.batch, np.float32), np.arange(load.batch)

    def run(self, steps):
        batch, total = self.load.batch, 0.0
        for rows in self.rng.permutation(steps * batch).reshape(steps, batch):
            np.take(self.x, rows, axis=0, out=self.a[0], mode="clip")
            self.forward()
            total += self.last_gradient(self.y[rows])
            self.backward()
            self.update()
        return total / steps

    def forward(self):
        load = self.load
        for i in range(1, len(load.sizes)):
            a = np.matmul(self.a[i - 1], self.w[2 * i - 2], out=self.a[i])
            a += self.w[2 * i - 1]
            if i == len(load.sizes) - 1:
                return
            if load.activation == "relu":
                np.maximum(a, 0, out=a)
            else:
                np.exp(np.negative(a, out=a), out=a)
                a += 1
                np.reciprocal(a, out=a)
            if i in load.dropped:
                keep = self.rng.random(out=self.keep[i], dtype=np.float32)
                np.greater_equal(keep, load.dropout, out=keep)
                keep *= 1 / (1 - load.dropout)
                a *= keep

    def last_gradient(self, y):
        """Loss; its gradient by the last layer's sums goes to d."""
        z, d, batch = self.a[-1], self.d[-1], self.load.batch
        if self.load.loss == "mse":
            np.subtract(z, y, out=d)
            loss = float(np.vdot(d, d)) / d.size
            d *= 2 / d.size
            return loss
        z -= z.max(1, keepdims=True)
        total = np.exp(z, out=d).sum(1, keepdims=True)
        loss = float(np.log(total).mean() - z[self.every, y].mean())
        d /= total
        d[self.every, y] -= 1
        d *= 1 / batch
        return loss

    def backward(self):
        for i in range(len(self.load.sizes) - 1, 0, -1):
            d, below, a = self.d[i], self.d[i - 1], self.a[i - 1]
            np.matmul(a.T, d, out=self.g[2 * i - 2])
            np.matmul(self.ones, d, out=self.g[2 * i - 1])
            if i == 1:
                return
            np.matmul(d, self.w[2 * i - 2].T, out=below)
            if i - 1 in self.load.dropped:
                below *= self.keep[i - 1]
            if self.load.activation == "relu":
                below *= np.greater(a, 0, out=self.active[i - 1])
            else:
                below *= a
                np.subtract(1, a, out=a)
                below *= a

    def update(self):
        if self.load.optimizer == "sgd":
            self.flat[1] *= self.load.rate
            self.flat[0] -= self.flat[1]
            return
        self.t += 1
        alpha = self.load.rate * math.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        for start in range(0, self.flat.shape[1], self.chunk):
            w, g, m, v, scratch = self.flat[:, start : start + self.chunk]
            np.subtract(g, m, out=scratch)
            scratch *= 0.1
            m += scratch
            np.multiply(g, g, out=scratch)
            scratch -= v
            scratch *= 0.001
            v += scratch
            np.sqrt(v, out=scratch)
            scratch += EPSILON
            np.divide(m, scratch, out=scratch)
            scratch *= alpha
            w -= scratch


class Torch:
    """PyTorch eager with its default Adam; the data are one tensor, not a slower DataLoader."""

    def build(self, load):
        import torch
        from torch import nn

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        torch.manual_seed(0)
        self.torch, self.batch = torch, load.batch
        self.x, self.y = map(torch.from_numpy, load.data())
        parts = []
        for i, (inputs, units) in enumerate(pairwise(load.sizes), 1):
            parts.append(nn.Linear(inputs, units))
            if i < len(load.sizes) - 1:
                parts.append(nn.ReLU() if load.activation == "relu" else nn.Sigmoid())
            if i in load.dropped:
                parts.append(nn.Dropout(load.dropout))
        self.model = nn.Sequential(*parts)
        with torch.no_grad():
            for parameter, values in zip(self.model.parameters(), load.weights(), strict=True):
                parameter.copy_(torch.from_numpy(values.T))
        parameters = self.model.parameters()
        adam = load.optimizer == "adam"
        self.optimizer = (
            torch.optim.Adam(parameters, load.rate, eps=EPSILON) if adam else torch.optim.SGD(parameters, load.rate)
        )
        self.loss = nn.CrossEntropyLoss() if load.loss == "crossentropy" else nn.MSELoss()

    def run(self, steps):
        total = self.torch.zeros(())
        for rows in self.torch.randperm(steps * self.batch).view(steps, self.batch):
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.model(self.x.index_select(0, rows)), self.y.index_select(0, rows))
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        return total.item() / steps


class Jax:
    """JAX: the whole step, with gather and update, in one jit with donated state."""

    def build(self, load):
        import jax
        from jax import numpy as jnp

        self.jax, self.batch, self.rng = jax, load.batch, np.random.default_rng(0)
        self.x, self.y = map(jnp.asarray, load.data())
        act = jax.nn.relu if load.activation == "relu" else jax.nn.sigmoid

        def loss(weights, x, y, key):
            last = len(load.sizes) - 1
            for i in range(1, last + 1):
                x = x @ weights[2 * i - 2] + weights[2 * i - 1]
                x = x if i == last else act(x)
                if i in load.dropped:
                    keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - load.dropout, x.shape)
                    x = jnp.where(keep, x / (1 - load.dropout), 0)
            if load.loss == "mse":
                return jnp.mean((x - y) ** 2)
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1))

        def step(state, x, y, rows):
            w, m, v, t, total = state
            t, key = t + 1, jax.random.fold_in(jax.random.key(0), t) if load.dropout else None
            value, g = jax.value_and_grad(loss)(w, x.at[rows].get(mode="clip"), y[rows], key)
            if load.optimizer == "sgd":
                w = [a - load.rate * b for a, b in zip(w, g, strict=True)]
            else:
                m = [a + 0.1 * (b - a) for a, b in zip(m, g, strict=True)]
                v = [a + 0.001 * (b * b - a) for a, b in zip(v, g, strict=True)]
                alpha = load.rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
                w = [a - alpha * b / (jnp.sqrt(c) + EPSILON) for a, b, c in zip(w, m, v, strict=True)]
            return w, m, v, t, total + value

        w = [jnp.asarray(a) for a in load.weights()]
        m, v = ([jnp.zeros_like(a) for a in w] for _ in range(2))
        self.state = w, m, v, jnp.zeros((), jnp.int32), jnp.zeros(())
        self.step = jax.jit(step, donate_argnums=0)

    def run(self, steps):
        before = float(self.state[-1])
        for rows in self.rng.permutation(steps * self.batch).astype(np.int32).reshape(steps, self.batch):
            self.state = self.step(self.state, self.x, self.y, rows)
        return (float(self.state[-1]) - before) / steps


class ScikitLearn:
    """`MLPClassifier` or `MLPRegressor`, an epoch per ``partial_fit``; it has no dropout."""

    def build(self, load):
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        if load.dropout:
            raise NotImplementedError("no dropout")
        self.batch, (self.x, self.y) = load.batch, load.data()
        self.mse = load.loss == "mse"
        self.y = self.y[:, 0] if self.y.shape[1:] == (1,) else self.y
        self.model = (MLPRegressor if self.mse else MLPClassifier)(
            hidden_layer_sizes=load.sizes[1:-1],
            activation="logistic" if load.activation == "sigmoid" else "relu",
            solver=load.optimizer,
            alpha=0,
            batch_size=load.batch,
            learning_rate_init=load.rate,
            epsilon=EPSILON,
            momentum=0,
            nesterovs_momentum=False,
            random_state=np.random.RandomState(0),
        )
        self.classes = {} if self.mse else {"classes": np.arange(load.sizes[-1])}
        self.run(1)  # makes the weights, which are replaced here, and the optimizer, which is made anew
        weights = load.weights()
        self.model.coefs_, self.model.intercepts_ = weights[::2], weights[1::2]
        del self.model._optimizer

    def run(self, steps):
        rows = steps * self.batch
        self.model.partial_fit(self.x[:rows], self.y[:rows], **self.classes)
        return float(self.model.loss_) * (2 if self.mse else 1)  # it reports half of the mean squared error


# By the names under which the packages are imported.
CONTENDERS = {"fastnn": Fastnn, "numpy": NumPy, "torch": Torch, "jax": Jax, "sklearn": ScikitLearn}


def serve(name: str) -> None:
    """Answer ["build", workload] and ["run", steps] until the input ends; begin with the version."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    contender, answer = CONTENDERS[name](), importlib.import_module(name).__version__
    while True:
        print(json.dumps(answer), file=answers, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        command, argument = json.loads(line)
        start = time.perf_counter()
        try:
            loss = contender.run(argument) if command == "run" else contender.build(WORKLOADS[argument])
            answer = {"seconds": time.perf_counter() - start, "loss": loss}
        except NotImplementedError as error:
            answer = {"unsupported": str(error)}


if __name__ == "__main__":
    serve(sys.argv[1])
