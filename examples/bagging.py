"""Bagging: sixteen networks, each trained on a bootstrap sample of the mixtures of concrete, predict better than one.

Mixtures that a member has not seen, 37 % of all for each, tell what the error will be without a test set; how much the
members disagree tells where it will be large.

    python examples/bagging.py [--epochs N] [--members N]
"""

import argparse

import numpy as np

import fastnn
from fastnn import ensembles, layers


def load():
    """Inputs and strengths with mean 0 and standard deviation 1 in the training part, and that deviation in MPa."""
    (x_train, y_train), (x_test, y_test) = fastnn.datasets.concrete.load_data()
    centre, spread = x_train.mean(axis=0), x_train.std(axis=0)
    mean, deviation = y_train.mean(), y_train.std()
    train, test = (((x - centre) / spread, (y - mean) / deviation) for x, y in ((x_train, y_train), (x_test, y_test)))
    return train, test, deviation


def make():
    model = fastnn.Sequential(
        [
            layers.Input(shape=(8,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile(fastnn.optimizers.Adam(3e-3), "mse")
    return model


def rmse(y, predicted):
    return float(np.sqrt(np.mean((predicted.reshape(-1) - y) ** 2)))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--members", type=int, default=16)
    options = parser.parse_args(arguments)

    (x_train, y_train), (x_test, y_test), deviation = load()
    fastnn.set_random_seed(1)
    one = make()
    one.fit(x_train, y_train, epochs=options.epochs, verbose=0)
    bagging = ensembles.Bagging(make, options.members, seed=1, oob_score=True)
    bagging.fit(x_train, y_train, epochs=options.epochs, verbose=0)
    mean, std = bagging.predict(x_test, return_std=True)
    alone, together = (rmse(y_test, predicted) * deviation for predicted in (one.predict(x_test), mean))
    member = np.mean([rmse(y_test, m.predict(x_test)) for m in bagging.members]) * deviation
    unseen = np.sqrt(bagging.oob_score_["loss"]) * deviation
    distinct = np.mean([len(np.unique(rows)) for rows in bagging.estimators_samples_]) / len(x_train)
    print(f"Each member has seen {distinct:.1%} of {len(x_train)} mixtures. RMSE on {len(y_test)} others in MPa:")
    print(
        f"one network trained on all {alone:.2f}, a member {member:.2f}, mean of {len(bagging)} members {together:.2f}"
    )
    print(f"Out-of-bag estimate of the mean, without these others: {unseen:.2f}")

    errors = np.abs(mean.reshape(-1) - y_test) * deviation
    order = np.argsort(std.reshape(-1))
    sure, unsure = (errors[half].mean() for half in np.array_split(order, 2))
    covered = np.mean(errors <= 2 * std.reshape(-1) * deviation)
    print(f"Mean error where the members agree more {sure:.2f}, where less {unsure:.2f}")
    print(f"{covered:.0%} of errors are within two standard deviations of the members")
    return alone, together, unseen, covered


if __name__ == "__main__":
    main()
