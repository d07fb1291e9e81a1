"""Plain NumPy, written for speed."""

import math

import numpy as np
from workloads import EPSILON, SLOTS


class NumPy:
    """By hand: float32, every array made once and written in place, one vector for all weights."""

    chunk = 65536  # elements of the update's vectors that the second-level cache holds

    def build(self, load):
        self.load, self.rng, self.t, (self.x, self.y) = load, np.random.default_rng(0), 0, load.data()
        weights = load.weights()
        ends = np.cumsum([w.size for w in weights])
        # weights, gradients, the optimizer's slots, scratch
        self.flat = np.zeros((3 + SLOTS[load.optimizer], ends[-1]), np.float32)
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
        if self.load.optimizer == "adam":
            self.adam()
            return
        for start in range(0, self.flat.shape[1], self.chunk):
            w, g, *slots, _ = self.flat[:, start : start + self.chunk]
            g *= self.load.rate
            for m in slots:
                m *= self.load.momentum
                m += g
            w -= slots[0] if slots else g

    def adam(self):
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

    def inference(self, load):
        self.build(load.network)
        self.a[0] = self.x

        def call():
            self.forward()
            z = self.a[-1]
            z -= z.max(1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(1, keepdims=True)
            return z

        return call

    def scores(self, x):
        """Of a network with ReLU."""
        for kernel, bias in zip(self.w[:-2:2], self.w[1:-2:2], strict=True):
            x = x @ kernel
            x += bias
            np.maximum(x, 0, out=x)
        return x @ self.w[-2] + self.w[-1]
