"""fastnn itself."""

from workloads import EPSILON


class Fastnn:
    """What ``fit`` delivers, an epoch per round, with all that it does around the steps; and ``model(x)``."""

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
        adam, sgd = optimizers.Adam(load.rate, epsilon=EPSILON), optimizers.SGD(load.rate, load.momentum)
        loss = losses.SparseCategoricalCrossentropy() if classes else losses.MeanSquaredError()
        self.model.compile(adam if load.optimizer == "adam" else sgd, loss)

    def run(self, steps):
        rows = steps * self.batch
        self.epoch += 1  # each epoch has an order of its own
        history = self.model.fit(
            self.x[:rows], self.y[:rows], self.batch, self.epoch, verbose=0, initial_epoch=self.epoch - 1
        )
        return history.history["loss"][0]

    def inference(self, load):
        self.build(load.network)
        return lambda: self.model(self.x)
