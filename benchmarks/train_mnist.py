"""Train W2b on MNIST for 5 epochs, print the accuracy: a process of whole_process.py.

    python benchmarks/train_mnist.py NAME

Nothing is imported but what the contender needs.
"""

import sys

EPOCHS, STEPS, BATCH = 5, 468, 128  # of whole batches: 96 of the 60,000 images are left out


def with_fastnn() -> float:
    """As a user writes it; the images stay uint8. Returns the accuracy."""
    import fastnn
    from fastnn import layers

    (x, y), (x_test, y_test) = fastnn.datasets.mnist.load_data()
    model = fastnn.Sequential([layers.Input((28, 28)), layers.Rescaling(1 / 255), layers.Flatten()])
    for units in (200, 100, 60, 30):
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[: STEPS * BATCH], y[: STEPS * BATCH], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return float(model.evaluate(x_test, y_test, verbose=0)[1])


def with_peer(name: str) -> float:
    """A contender on the images as float32."""
    import contenders
    import mnist
    from workloads import FIVE_LAYERS, Workload

    class Mnist(Workload):
        def data(self):
            return mnist.images("train")[: STEPS * BATCH], mnist.labels("train")[: STEPS * BATCH]

    contender = contenders.make(name)
    contender.build(Mnist(FIVE_LAYERS, BATCH, STEPS))
    for _ in range(EPOCHS):
        contender.run(STEPS)
    return float((contender.scores(mnist.images("t10k")).argmax(1) == mnist.labels("t10k")).mean())


if __name__ == "__main__":
    print(with_fastnn() if sys.argv[1] == "fastnn" else with_peer(sys.argv[1]))
