"""Train the five-layer network 784-200-100-60-30-10 on MNIST.

Without MNIST and without a network it trains on the 8x8 digits that scikit-learn ships.

    python examples/mnist_mlp.py [--epochs N] [--batch-size N] [--picture FILE]
"""

import argparse
import tempfile
import time
from pathlib import Path

import fastnn
from fastnn import layers
from fastnn.datasets import DataNotFoundError


def load():
    """Images and labels for training and testing, and the largest pixel value."""
    try:
        return *fastnn.datasets.mnist.load_data(), 255
    except DataNotFoundError:
        print("MNIST is not here and cannot be downloaded: training on scikit-learn's 8x8 digits instead.")
        from sklearn.datasets import load_digits

        digits = load_digits()
        x, y = digits.images.astype("uint8"), digits.target
        return (x[:1500], y[:1500]), (x[1500:], y[1500:]), 16


def build(shape, largest):
    """The network; the pixels are scaled to 0..1 while a batch is read."""
    return fastnn.Sequential(
        [
            layers.Input(shape=shape),
            layers.Rescaling(1 / largest),
            layers.Flatten(),
            *(layers.Dense(units, activation="relu") for units in (200, 100, 60, 30)),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--picture", type=Path, default=Path(tempfile.gettempdir()) / "fastnn_mnist.png")
    options = parser.parse_args(arguments)

    (x_train, y_train), (x_test, y_test), largest = load()
    fastnn.set_random_seed(1)
    model = build(x_train.shape[1:], largest)
    model.summary()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    start = time.perf_counter()
    history = model.fit(
        x_train, y_train, batch_size=options.batch_size, epochs=options.epochs, validation_data=(x_test, y_test)
    )
    seconds = time.perf_counter() - start

    loss, accuracy = model.evaluate(x_test, y_test, batch_size=1000, verbose=0)
    print(f"Test loss {loss:.4f}, test accuracy {accuracy:.4f}")
    try:
        fastnn.plotting.plot_history(history, options.picture)
        print(f"Training curves: {options.picture}")
    except (ImportError, OSError) as error:
        print(f"No picture of the training curves: {error}")
    samples = options.epochs * len(x_train) / seconds
    print(
        f"Trained {seconds:.2f} s, {samples:,.0f} samples per second, "
        f"{fastnn.current_isa()}, {fastnn.get_num_threads()} threads"
    )
    return accuracy


if __name__ == "__main__":
    main()
