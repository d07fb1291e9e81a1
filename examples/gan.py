"""A generative adversarial network (Goodfellow et al., 2014) learns four clusters of points in the plane.

The discriminator is one layer object in two models: trained in its own, frozen in the combined one, which trains the
generator through it. Both see the same weights; each model has an optimizer with slots of its own.

    python examples/gan.py [--steps N]
"""

import argparse

import numpy as np

import fastnn
from fastnn import layers, optimizers

CENTRES = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], "float32")
NOISE, BATCH = 4, 64


def real(samples, rng):
    """Points around the four centres."""
    return CENTRES[rng.integers(4, size=samples)] + 0.1 * rng.standard_normal((samples, 2)).astype("float32")


def noise(samples, rng):
    return rng.standard_normal((samples, NOISE)).astype("float32")


def build(optimizer=lambda: optimizers.Adam(0.001, beta_1=0.5)):
    """Generator, discriminator, and one after the other."""
    hidden = {"units": 48, "activation": "leaky_relu"}
    generator = fastnn.Sequential(
        [layers.Dense(**hidden, input_shape=(NOISE,)), layers.Dense(**hidden), layers.Dense(2)]
    )
    discriminator = fastnn.Sequential(
        [layers.Dense(**hidden, input_shape=(2,)), layers.Dense(**hidden), layers.Dense(1, activation="sigmoid")]
    )
    combined = fastnn.Sequential([generator, discriminator])
    for model in (discriminator, combined):
        model.compile(optimizer(), "binary_crossentropy")
    return generator, discriminator, combined


def step(generator, discriminator, combined, points, z_discriminator, z_generator):
    """Teach the discriminator what is real (1) and what is made (0), then the generator to be taken for real."""
    half = len(points)
    x = np.concatenate([points, generator.predict(z_discriminator, verbose=0)])
    y = np.repeat([1.0, 0.0], half)
    discriminator.trainable = True
    discriminator_loss = discriminator.train_on_batch(x, y)
    discriminator.trainable = False
    return discriminator_loss, combined.train_on_batch(z_generator, np.ones(len(z_generator)))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000)
    options = parser.parse_args(arguments)
    fastnn.set_random_seed(1)
    rng = np.random.default_rng(1)
    models = build()
    for _ in range(options.steps):
        losses = step(*models, real(BATCH, rng), noise(BATCH, rng), noise(BATCH, rng))
    made = models[0].predict(noise(1000, rng), verbose=0)
    distances = np.linalg.norm(made[:, None] - CENTRES, axis=-1)
    shares = np.bincount(distances.argmin(axis=1), minlength=4) / len(made)
    near = np.mean(distances.min(axis=1) < 0.4)
    print(f"Losses of discriminator {losses[0]:.3f} and generator {losses[1]:.3f}")
    print(f"{near:.0%} of the points made are near a centre; shares of the centres: {shares}")
    return near, shares


if __name__ == "__main__":
    main()
