"""An Inception module of dense layers: branches of different depth side by side on one input, then concatenated.

After Szegedy et al. (2015), "Going deeper with convolutions": a narrow layer before a wide one keeps a branch cheap,
and the layer behind the module chooses among what the branches offer.

    python examples/inception.py
"""

from sklearn.datasets import load_digits

import fastnn
from fastnn import Input, Model, layers


def module(x, name):
    """Four branches: one layer, two layers behind a narrow one, three layers, and a narrow projection."""

    def dense(x, units, part):
        return layers.Dense(units, activation="relu", name=f"{name}_{part}")(x)

    return layers.Concatenate(name=name)(
        [
            dense(x, 32, "short"),
            dense(dense(x, 16, "narrow"), 48, "wide"),
            dense(dense(dense(x, 16, "deep_1"), 24, "deep_2"), 32, "deep_3"),
            dense(x, 16, "projection"),
        ]
    )


def build(shape):
    image = Input(shape, name="image")
    x = layers.Flatten(name="pixels")(layers.Rescaling(1 / 16, name="scaled")(image))
    x = module(x, "first")
    x = module(x, "second")
    model = Model(image, layers.Dense(10, activation="softmax", name="digit")(x), name="inception")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def load():
    """scikit-learn's images of 8x8 pixels from 0 to 16, and their digits, for training and testing."""
    x, digits = load_digits().images, load_digits().target
    return (x[:1400], digits[:1400]), (x[1400:], digits[1400:])


def main(epochs=20):
    fastnn.set_random_seed(1)
    (x, y), (x_test, y_test) = load()
    model = build(x.shape[1:])
    model.summary(line_length=100)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test accuracy {accuracy:.4f} with {model.count_params():,} parameters")
    return accuracy


if __name__ == "__main__":
    main()
