"""Measure how `fit` shares the processor with a busy process and with a thread of Python.

    python benchmarks/neighbours.py [--workload W2b] [--rounds N] [--threads N]

README.md in this folder says what the ratios are.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from statistics import median

from compare import PAUSE
from contenders.fastnn_fit import Fastnn
from workloads import TRAINING

import fastnn


class Neighbour:
    """A process that is busy when it is told to, and ends with the ``with`` block."""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        return self

    def run(self, busy: bool) -> None:
        os.kill(self.process.pid, signal.SIGCONT if busy else signal.SIGSTOP)

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()


def fit(trained: Fastnn, steps: int, threads: int) -> float:
    """Milliseconds that a step takes."""
    with fastnn.threads(threads):
        start = time.perf_counter()
        trained.run(steps)
        return (time.perf_counter() - start) / steps * 1000


def counts_per_second(during, *arguments) -> float:
    """How fast a thread of pure Python counts during a call in this one."""
    state = [0, True]

    def count():
        while state[1]:
            state[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    start, before = time.perf_counter(), state[0]
    during(*arguments)
    speed = (state[0] - before) / (time.perf_counter() - start)
    state[1] = False
    counter.join()
    return speed


def summary(ratios: list[float]) -> str:
    """Median and range."""
    return f"{median(ratios):.2f}x [{min(ratios):.2f}..{max(ratios):.2f}]"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", choices=TRAINING, default="W2b")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    load, most = TRAINING[options.workload], options.threads

    # A model each, since a model remembers for some seconds that its threads were disturbed.
    cases = [(threads, busy) for busy in (False, True) for threads in (1, most)]
    trained = {case: Fastnn() for case in cases}
    for case in cases:
        trained[case].build(load)
        fit(trained[case], 10, case[0])
    times: dict[tuple[int, bool], list[float]] = {case: [] for case in cases}
    speeds = []
    with Neighbour() as neighbour:
        for _ in range(options.rounds):
            for threads, busy in cases:
                neighbour.run(busy)
                time.sleep(PAUSE)
                times[threads, busy].append(fit(trained[threads, busy], load.steps, threads))
            neighbour.run(False)
            time.sleep(PAUSE)
            alone = counts_per_second(time.sleep, 0.3)
            speeds.append(counts_per_second(fit, trained[1, False], load.steps, 1) / alone)

    print(f"{options.workload}: {load}. Milliseconds per step of fit, medians of {options.rounds} interleaved rounds,")
    print("and that time over the one of 1 thread on the idle machine in the same round: median [least..most].\n")
    for case in cases:
        name = f"{case[0]} thread{'s' * (case[0] > 1)}, {'beside a busy process' if case[1] else 'idle'}"
        ratios = [own / one for own, one in zip(times[case], times[1, False], strict=True)]
        print(f"{name:<34} {median(times[case]):.3f}  {summary(ratios)}")
    print(f"\nSpeed of a Python thread beside fit on 1 thread, over its speed alone: {summary(speeds)}")


if __name__ == "__main__":
    main()
