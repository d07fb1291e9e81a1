"""Keras on the back end that KERAS_BACKEND names."""

import os

from .keras_like import compiled


class Keras:
    """``fit``, an epoch per round, compiled as it is by default; inference compiled by the back end."""

    def build(self, load):
        import keras

        keras.utils.set_random_seed(0)
        self.batch, (self.x, self.y) = load.batch, load.data()
        self.model = compiled(keras, load)

    def run(self, steps):
        rows = steps * self.batch
        return self.model.fit(self.x[:rows], self.y[:rows], self.batch, verbose=0).history["loss"][0]

    def scores(self, x):
        return self.model.predict(x, batch_size=1000, verbose=0)

    def inference(self, load):
        self.build(load.network)
        if os.environ["KERAS_BACKEND"] == "tensorflow":
            import tensorflow as tf

            # beyond small batches, TensorFlow's own kernels are faster than compiled ones
            answer, x = tf.function(self.model, jit_compile=load.batch < 1000), tf.constant(self.x)
            return lambda: answer(x)
        import jax

        weights = [[v.value for v in vs] for vs in (self.model.trainable_variables, self.model.non_trainable_variables)]
        answer, x = jax.jit(lambda x: self.model.stateless_call(*weights, x)[0]), jax.numpy.asarray(self.x)
        return lambda: answer(x).block_until_ready()
