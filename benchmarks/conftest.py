"""The `timed` fixture, and the compact tables that it fills for the end of a run; the limits of the machine."""

import statistics
import time

import pytest
from bounds import below
from limits import Machine, roof

import fastnn

RESULTS = pytest.StashKey[dict]()
UNITS = {"us": 1e6, "ms": 1e3}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    config.stash[RESULTS] = {}
    config.option.benchmark_quiet = True  # its own table has the times of whole calls, not of repetitions


@pytest.fixture(scope="session")
def roof_of():
    """Return what gives the roof of a workload, in seconds, for the threads that fastnn uses."""
    threads = fastnn.get_num_threads()
    with Machine() as machine:
        limits = machine.limits(threads)
    return lambda load: roof(load, threads, limits, machine.caches)


@pytest.fixture
def timed(benchmark, request):
    """Return ``timed(group, name, call, repetitions, unit, amounts, roof, figures, rounds)``, which measures a call.

    The call does something `repetitions` times; the median of 15 rounds, divided by that, goes to the
    table of the group in `unit` ("us" or "ms"). `amounts` are what one repetition handles, by the name
    of the rate that they give: ``{"GFLOP/s": 0.04}``. With `roof`, the seconds that one takes at least,
    the table says how many times that it took. Instead of all these, ``figures(seconds)`` may
    give the columns for the best of the rounds, to be compared with limits, which are the best of several too.
    """

    def measure(group, name, call, repetitions, unit="us", amounts=None, roof=None, figures=None, rounds=15):
        benchmark.group = group
        benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)
        if benchmark.stats is None:  # --benchmark-disable
            return
        seconds = benchmark.stats.stats.median / repetitions
        if figures:
            columns = figures(benchmark.stats.stats.min / repetitions)
        else:
            columns = {unit: seconds * UNITS[unit]} | {rate: amount / seconds for rate, amount in amounts.items()}
        if roof:
            columns |= {"roof": roof * UNITS[unit], "x roof": seconds / roof}
        benchmark.extra_info.update(columns)
        request.config.stash[RESULTS].setdefault(group, {})[name] = columns

    return measure


@pytest.fixture
def compared(benchmark, request):
    """Return ``compared(group, name, calls, repetitions)``, which measures several calls in turns.

    The table of the group gets the medians of 15 rounds in milliseconds, by the names of `calls`, and that of the
    ratios of the first one to the sum of the others, taken round by round.
    """

    def measure(group, name, calls, repetitions):
        rounds = []

        def one_round():
            seconds = []
            for call in calls.values():
                began = time.perf_counter()
                call()
                seconds.append((time.perf_counter() - began) / repetitions)
            rounds.append(seconds)

        benchmark.group = group
        benchmark.pedantic(one_round, rounds=15, warmup_rounds=1)
        if benchmark.stats is None:  # --benchmark-disable
            return
        medians = [statistics.median(times) * UNITS["ms"] for times in zip(*rounds[1:], strict=True)]
        ratio = statistics.median(first / sum(others) for first, *others in rounds[1:])
        figures = {f"{call}, ms": value for call, value in zip(calls, medians, strict=True)} | {"ratio": ratio}
        benchmark.extra_info.update(figures)
        request.config.stash[RESULTS].setdefault(group, {})[name] = figures

    return measure


def pytest_terminal_summary(terminalreporter, config):
    for group, lines in config.stash[RESULTS].items():
        width = max(map(len, lines))
        columns = next(iter(lines.values()))
        terminalreporter.section("bounds, best of the rounds" if group == "bounds" else f"{group}, medians")
        cell = max(12, 2 + max(map(len, columns)))
        terminalreporter.write_line(" " * width + "".join(f"{column:>{cell}}" for column in columns))
        for name, figures in lines.items():
            values = "".join(f"{v:>{cell}.{0 if v >= 1000 else 1 if v >= 100 else 3}f}" for v in figures.values())
            terminalreporter.write_line(f"{name:<{width}}{values}")
        if group == "bounds":
            terminalreporter.write_line(below(lines))
