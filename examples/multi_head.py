"""One body, two heads: which digit an image shows, and how much ink it has, from the same features.

The losses are weighted, since one is a cross-entropy and the other a squared error. The body is used once more, as a
model of its own, for what it has learned: the features of the images.

    python examples/multi_head.py
"""

import numpy as np
from sklearn.datasets import load_digits

import fastnn
from fastnn import Input, Model, layers


def build(shape):
    image = Input(shape, name="image")
    x = layers.Flatten()(layers.Rescaling(1 / 16)(image))
    x = layers.Dense(128, activation="relu")(x)
    features = layers.Dense(32, activation="relu", name="features")(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(features)
    ink = layers.Dense(1, name="ink")(features)
    model = Model(image, {"digit": digit, "ink": ink}, name="multi_head")
    model.compile(
        "adam",
        loss={"digit": "sparse_categorical_crossentropy", "ink": "mse"},
        loss_weights={"digit": 1.0, "ink": 0.2},
        metrics={"digit": ["accuracy"], "ink": ["mae"]},
    )
    return model


def load():
    """scikit-learn's images of 8x8 pixels from 0 to 16, and their digits, for training and testing."""
    x, digits = load_digits().images, load_digits().target
    return (x[:1400], digits[:1400]), (x[1400:], digits[1400:])


def targets(x, digits):
    """Both; the ink is the mean of the pixels, which is about 5."""
    return {"digit": digits, "ink": x.mean((1, 2)) - 5}


def main(epochs=20):
    fastnn.set_random_seed(1)
    (x, digits), (x_test, digits_test) = load()
    model = build(x.shape[1:])
    model.fit(x, targets(x, digits), batch_size=32, epochs=epochs, verbose=0)
    logs = model.evaluate(x_test, targets(x_test, digits_test), verbose=0, return_dict=True)
    guess = np.abs(x_test.mean((1, 2)) - x.mean()).mean()
    print(f"Test accuracy of the digit {logs['digit_accuracy']:.4f}")
    print(f"Mean error of the ink {logs['ink_mae']:.3f}; of always guessing its mean {guess:.3f}")

    body = Model(model.input, model.get_layer("features").output)
    features = body.predict(x_test, verbose=0)
    dead = int((features.max(0) == 0).sum())
    print(f"Features of {len(features)} images: {features.shape[1]} each, {dead} of them always 0")
    return logs["digit_accuracy"], logs["ink_mae"], guess


if __name__ == "__main__":
    main()
