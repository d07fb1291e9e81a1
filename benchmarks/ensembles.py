"""Measure how much faster the members of an ensemble are trained side by side than one after the other.

    python benchmarks/ensembles.py [--members N] [--epochs N] [--rounds N] [--threads N]

README.md in this folder says what the ratios are.
"""

import argparse
import time
from statistics import median

import numpy as np

import fastnn
from fastnn import layers
from fastnn.ensembles import Ensemble

ROWS, BATCH = 1000, 32
NETS = ((8, 16, 1), (2, 8, 2), (8, 16, 16, 1), (10, 46, 46, 10))


class Net:
    """ReLU networks of some sizes with Adam: a regression if there is one output, else a classification."""

    def __init__(self, sizes):
        self.sizes = sizes
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((ROWS, sizes[0])).astype(np.float32)
        self.y = self.x[:, :1] if sizes[-1] == 1 else rng.integers(sizes[-1], size=ROWS)

    def make(self):
        hidden = [layers.Dense(units, activation="relu") for units in self.sizes[1:-1]]
        regression = self.sizes[-1] == 1
        output = layers.Dense(self.sizes[-1], activation=None if regression else "softmax")
        model = fastnn.Sequential([layers.Input((self.sizes[0],)), *hidden, output])
        model.compile("adam", "mse" if regression else "sparse_categorical_crossentropy")
        return model


def fit_each(models, net, epochs):
    for model in models:
        model.fit(net.x, net.y, BATCH, epochs, verbose=0)


def timed(function, *given, **options):
    """What a function returns, and the seconds that it takes."""
    start = time.perf_counter()
    made = function(*given, **options)
    return made, time.perf_counter() - start


def one_round(net, members, epochs):
    """Seconds to make models, to train them for the first time, and once more: in turn, and side by side."""
    models, making = timed(lambda: [net.make() for _ in range(members)])
    first, again = (timed(fit_each, models, net, epochs)[1] for _ in range(2))
    ensemble, making_all = timed(Ensemble, net.make, members, seed=0)
    fit = [timed(ensemble.fit, net.x, net.y, BATCH, epochs, verbose=0)[1] for _ in range(2)]
    return (making, first, again), (making_all, *fit)


def summary(ratios):
    """Median and range."""
    return f"{median(ratios):.2f}x [{min(ratios):.2f}..{max(ratios):.2f}]"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    fastnn.set_num_threads(options.threads)
    print(f"{options.members} networks, {options.epochs} epochs of {ROWS} rows in batches of {BATCH}, Adam,")
    print(f"{options.threads} threads, medians of {options.rounds} interleaved rounds. Microseconds per epoch of one")
    print(
        "network; the time of one after the other over that of side by side in the same round: median [least..most].\n"
    )
    print(f"{'network':<14}{'in turn':>8}{'side by side':>14}  {'fit':<22}{'first fit':<22}with making")
    for sizes in NETS:
        net = Net(sizes)
        one_round(net, options.members, 1)
        found = [one_round(net, options.members, options.epochs) for _ in range(options.rounds)]
        per_epoch = [median(f[side][2] for f in found) / options.members / options.epochs * 1e6 for side in (0, 1)]
        again, first = ([a[i] / b[i] for a, b in found] for i in (2, 1))
        whole = [(a[0] + a[1]) / (b[0] + b[1]) for a, b in found]
        name = "-".join(map(str, sizes))
        ratios = "".join(f"{summary(r):<22}" for r in (again, first, whole))
        print(f"{name:<14}{per_epoch[0]:>8.0f}{per_epoch[1]:>14.0f}  {ratios.rstrip()}", flush=True)


if __name__ == "__main__":
    main()
