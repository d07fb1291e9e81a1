"""fastnn itself."""

from .keras_like import compiled


class Fastnn:
    """What ``fit`` delivers, an epoch per round, with all that it does around the steps; and ``model(x)``."""

    def build(self, load):
        import fastnn

        fastnn.set_random_seed(0)
        self.batch, self.epoch, (self.x, self.y) = load.batch, 0, load.data()
        self.model = compiled(fastnn, load)

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
