"""JAX."""

import numpy as np
from workloads import EPSILON


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
            elif load.optimizer == "momentum":
                m = [load.momentum * a - load.rate * b for a, b in zip(m, g, strict=True)]
                w = [a + b for a, b in zip(w, m, strict=True)]
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

    def scores(self, x):
        """Of a network with ReLU."""
        weights = self.state[0]
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = self.jax.nn.relu(x @ kernel + bias)
        return np.asarray(x @ weights[-2] + weights[-1])

    def inference(self, load):
        import jax
        from jax import numpy as jnp

        x, weights = jnp.asarray(load.network.data()[0]), [jnp.asarray(a) for a in load.network.weights()]

        @jax.jit
        def answer(x):
            for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
                x = jax.nn.relu(x @ kernel + bias)
            return jax.nn.softmax(x @ weights[-2] + weights[-1])

        return lambda: answer(x).block_until_ready()
