"""Measure L-BFGS behind `fit` beside the same method of scipy and of PyTorch, on the strength of concrete.

    python benchmarks/lbfgs.py [--iterations N] [--rounds N] [--threads N]

README.md in this folder says what the columns are.
"""

import argparse
import importlib.util
import math
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import numpy as np

import fastnn
from fastnn import datasets, layers
from fastnn.optimizers import LBFGS

UNITS = 32, 16
Result = tuple[float, int, float]  # seconds, evaluations, last loss


def data() -> tuple[np.ndarray, np.ndarray]:
    """All samples of the training set, standardized."""
    (x, y), _ = datasets.concrete.load_data()
    y = y.reshape(-1, 1)
    return tuple(((a - a.mean(0)) / a.std(0)).astype(np.float32) for a in (x, y))  # type: ignore[return-value]


def network() -> fastnn.Sequential:
    """8-32-16-1; the same first weights each time."""
    fastnn.set_random_seed(1)
    hidden = [layers.Dense(units, "tanh") for units in UNITS]
    return fastnn.Sequential([layers.Input((8,)), *hidden, layers.Dense(1)])


def of_fastnn(x: np.ndarray, y: np.ndarray, iterations: int) -> Callable[[], Result]:
    class Counting(LBFGS):
        """Counts evaluations."""

        evaluations = 1

        def iterate(self, evaluate, *args):  # type: ignore[no-untyped-def]
            def counted(x):  # type: ignore[no-untyped-def]
                self.evaluations += 1
                return evaluate(x)

            return super().iterate(counted, *args)

    model = network()
    first = model.get_weights()

    def run() -> Result:
        model.set_weights(first)
        optimizer = Counting(tolerance_grad=0.0, tolerance_change=0.0)
        model.compile(optimizer, "mse")
        start = time.perf_counter()
        losses = model.fit(x, y, batch_size="full", epochs=iterations, verbose=0).history["loss"]
        return time.perf_counter() - start, optimizer.evaluations, losses[-1]

    return run


def of_scipy(x: np.ndarray, y: np.ndarray, iterations: int) -> Callable[[], Result]:
    """scipy's method around fastnn's gradient."""
    from scipy.optimize import minimize

    model, loss = network(), fastnn.losses.MeanSquaredError()
    variables = model.trainable_variables
    step = fastnn.value_and_grad(lambda x, y: loss(y, model(x, training=True)), variables)
    first = np.concatenate([v.numpy().ravel() for v in variables]).astype(np.float64)
    ends = np.cumsum([math.prod(v.shape) for v in variables])[:-1]

    def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
        for v, part in zip(variables, np.split(flat, ends), strict=True):
            v.value[...] = part.reshape(v.shape)
        value, gradients = step(x, y)
        return float(value), np.concatenate([g.ravel() for g in gradients]).astype(np.float64)

    options = {"maxcor": 10, "maxiter": iterations, "maxfun": 10**6, "ftol": 0.0, "gtol": 0.0}

    def run() -> Result:
        start = time.perf_counter()
        found = minimize(function, first, jac=True, method="L-BFGS-B", options=options)
        return time.perf_counter() - start, found.nfev, float(found.fun)

    return run


def of_torch(x: np.ndarray, y: np.ndarray, iterations: int) -> Callable[[], Result]:
    import torch

    weights = network().get_weights()
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def run() -> Result:
        sizes = (8, *UNITS, 1)
        dense = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
        with torch.no_grad():
            for layer, kernel, bias in zip(dense, weights[::2], weights[1::2], strict=True):
                layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
                layer.bias.copy_(torch.from_numpy(bias))
        model = torch.nn.Sequential(dense[0], torch.nn.Tanh(), dense[1], torch.nn.Tanh(), dense[2])
        options = {"history_size": 10, "tolerance_grad": 0.0, "tolerance_change": 0.0}
        optimizer = torch.optim.LBFGS(
            model.parameters(), max_iter=iterations, max_eval=10**6, line_search_fn="strong_wolfe", **options
        )
        evaluations, loss = 0, math.inf

        def closure():  # type: ignore[no-untyped-def]
            nonlocal evaluations, loss
            evaluations += 1
            optimizer.zero_grad()
            value = torch.nn.functional.mse_loss(model(inputs), targets)
            value.backward()
            loss = float(value.detach())
            return value

        start = time.perf_counter()
        optimizer.step(closure)
        return time.perf_counter() - start, evaluations, loss

    return run


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    x, y = data()
    makers = {"fastnn": of_fastnn, "scipy": of_scipy, "torch": of_torch}
    made = {name: make(x, y, options.iterations) for name, make in makers.items() if has(name)}
    if "torch" in made:
        import torch

        torch.set_num_threads(options.threads)
    results: dict[str, list[Result]] = {name: [] for name in made}
    with fastnn.threads(options.threads):
        for run in made.values():
            run()
        for _ in range(options.rounds):  # in turn, so that a busy moment meets all of them
            for name, run in made.items():
                results[name].append(run())
    print(f"{options.iterations} iterations on {len(x)} samples, median of {options.rounds} rounds")
    base = [seconds / evaluations for seconds, evaluations, _ in results["fastnn"]]
    for name, rounds in results.items():
        each = [seconds / evaluations for seconds, evaluations, _ in rounds]
        ratio = median(a / b for a, b in zip(each, base, strict=True))
        whole = median(seconds / own[0] for (seconds, _, _), own in zip(rounds, results["fastnn"], strict=True))
        print(
            f"{name:8}{median(seconds for seconds, _, _ in rounds):8.3f} s  {rounds[0][1]:5} evaluations  "
            f"{median(each) * 1e6:8.0f} us each  {ratio:6.2f}x each  {whole:6.2f}x in all  loss {rounds[0][2]:.5f}"
        )


def has(name: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(name) is not None


if __name__ == "__main__":
    main()
