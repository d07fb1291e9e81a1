"""thinc."""

import numpy as np
from workloads import EPSILON


class Thinc:
    """``begin_update``, ``backprop``, ``finish_update``, without averages, clipping and decay of the weights."""

    def build(self, load):
        from thinc import api

        if load.optimizer == "momentum":
            raise NotImplementedError("no gradient descent with momentum")
        self.load, self.rng, (self.x, self.y) = load, np.random.default_rng(0), load.data()
        hidden = api.Relu if load.activation == "relu" else api.Sigmoid
        self.classes = load.loss == "crossentropy"
        parts = []
        for i, units in enumerate(load.sizes[1:-1], 1):
            parts.append(hidden(units, load.sizes[i - 1]))
            if i in load.dropped:
                parts.append(api.Dropout(load.dropout))
        parts.append((api.Softmax if self.classes else api.Linear)(load.sizes[-1], load.sizes[-2]))
        self.model = api.chain(*parts) if len(parts) > 1 else parts[0]
        self.model.initialize()
        weights = load.weights()
        for layer in parts:
            if layer.has_param("W"):
                layer.set_param("W", np.ascontiguousarray(weights.pop(0).T))
                layer.set_param("b", weights.pop(0))
        plain = {"L2": 0.0, "grad_clip": 0.0, "use_averages": False}
        adam = load.optimizer == "adam"
        self.optimizer = api.Adam(load.rate, eps=EPSILON, **plain) if adam else api.SGD(load.rate, **plain)

    def run(self, steps):
        batch, total = self.load.batch, 0.0
        every = np.arange(batch)
        for rows in self.rng.permutation(steps * batch).reshape(steps, batch):
            y = self.y[rows]
            d, backprop = self.model.begin_update(self.x[rows])
            if self.classes:
                total -= float(np.log(d[every, y]).mean())
                d[every, y] -= 1
                d *= 1 / batch
            else:
                d -= y
                total += float(np.vdot(d, d)) / d.size
                d *= 2 / d.size
            backprop(d)
            self.model.finish_update(self.optimizer)
        return total / steps

    def scores(self, x):
        return self.model.predict(x)

    def inference(self, load):
        self.build(load.network)
        return lambda: self.model.predict(self.x)
