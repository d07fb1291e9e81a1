"""Compare training and inference in fastnn with plain NumPy and with the peers that are installed.

    python benchmarks/compare.py [--workloads W1 W2b ...] [--contenders jax ...] [--threads 1 2] [--json FILE]

README.md in this folder says what is measured and how the ratios are made.
"""

import argparse
import json
import platform
import time
from pathlib import Path

from contenders import CONTENDERS, installed
from import_time import import_seconds
from limits import Machine
from process import Process
from report import NEAR, ONE_THREAD, notes, table
from workloads import WORKLOADS

PAUSE = 0.1  # seconds before a turn: until then the spinning threads of the one before are asleep
PATIENCE = 60.0  # seconds for each workload to wait for calm CPUs and to repeat disturbed turns


class Watch:
    """Probes whether the CPUs are ours, each one a core of its own; waits if not, as long as there is patience."""

    def __init__(self, machine: Machine, threads: int):
        self.machine, self.threads, self.patience = machine, threads, PATIENCE
        self.best = max(machine.probe(threads) for _ in range(20))

    def probe(self) -> float:
        speed = self.machine.probe(self.threads)
        self.best = max(self.best, speed)
        return speed

    def calm(self, speed: float) -> bool:
        return speed >= NEAR * self.best

    def wait(self, speed: float) -> float:
        """The first probe from now on that is calm, or the last one; `speed` is the one just made."""
        while not self.calm(speed) and self.patience > 0:
            self.patience -= PAUSE
            time.sleep(PAUSE)
            speed = self.probe()
        return speed


def fastest(name: str, counts: list[int], workload: str) -> tuple[Process | None, str | None]:
    """A contender, ready, with the number of threads that is the fastest; or why it takes no part."""
    steps = min(WORKLOADS[workload].steps, max(10, WORKLOADS[workload].steps // 5))
    seconds = {}
    for threads in counts:
        process = Process(name, threads)
        why_not = process.build(workload)
        seconds[process] = float("inf")
        if why_not:
            for each in seconds:
                each.close()
            return None, why_not
    for _ in range(3):
        for process in seconds:
            time.sleep(PAUSE)
            seconds[process] = min(seconds[process], process.run(steps)["seconds"])
    best = min(seconds, key=seconds.__getitem__)
    for process in seconds.keys() - {best}:
        process.close()
    return best, None


def measure(names: list[str], counts: list[int], workload: str, rounds: int, watch: Watch) -> dict:
    """Milliseconds of each contender in every round, and which rounds were undisturbed.

    Rounds go on until there are so many undisturbed ones, or twice as many in all.
    """
    load, processes, refused = WORKLOADS[workload], {}, {}
    for name in names:
        threads = {"fastnn": counts[-1:], ONE_THREAD: [1]}.get(name, counts)
        process, why_not = fastest("fastnn" if name == ONE_THREAD else name, threads, workload)
        if process:
            processes[name] = process
        else:
            refused[name] = why_not
    found = {n: {"version": p.version, "threads": p.threads, "ms": [], "loss": None} for n, p in processes.items()}
    probes, repeated, watch.patience = [], 0, PATIENCE
    speed = watch.probe()
    while sum(map(watch.calm, probes)) < rounds and len(probes) < 2 * rounds:
        probes.append(watch.best)
        for name, process in processes.items():
            while True:
                before = watch.wait(speed)
                start = time.perf_counter()
                answer = process.run(load.steps, load.epochs)
                time.sleep(PAUSE)
                speed = watch.probe()
                if found[name]["loss"] is None:  # later, those whose turns were repeated have learned more
                    found[name]["loss"] = answer["loss"]
                worst = min(before, speed)
                if watch.calm(worst) or watch.patience <= 0:
                    break
                repeated += 1
                watch.patience -= time.perf_counter() - start
            probes[-1] = min(probes[-1], worst)
            found[name]["ms"].append(answer["seconds"] * 1000)
    for process in processes.values():
        process.close()
    return {"contenders": found, "refused": refused, "probes": probes, "repeated": repeated}


def run(options: argparse.Namespace) -> dict:
    """Measure the workloads; the figures of each are saved before the next one."""
    names = [n for n in CONTENDERS if n in ("fastnn", "numpy", *options.contenders) and installed(n)]
    if options.one_thread:
        names.insert(1, ONE_THREAD)
    counts = sorted(set(options.threads))
    with Machine() as machine:
        watch = Watch(machine, counts[-1])
        results = {
            "machine": platform.platform(),
            "rounds": options.rounds,
            "caches": machine.caches,
            "limits": {str(n): machine.limits(n) for n in sorted({1, *counts})},
            "import_ms": import_seconds() * 1000,
            "workloads": {},
        }
        for workload in options.workloads:
            results["workloads"][workload] = measure(names, counts, workload, options.rounds, watch)
            results["probe"] = watch.best
            for n, limits in results[
                "limits"
            ].items():  # the best ever: at the start, something may have disturbed them
                for name, value in machine.limits(int(n)).items():
                    limits[name] = max(limits[name], value)
            if options.json:
                options.json.write_text(json.dumps(results, indent=1))
            print(f"{workload} measured", flush=True)
    return results


def show(results: dict) -> None:
    """Print the table and what is to be known about it."""
    print(
        f"\nMilliseconds per step or call, in brackets the threads; medians of {results['rounds']} interleaved rounds."
    )
    print("Ratios are made within each round: median [least..most].\n")
    print(f"{table(results)}\n\n{notes(results)}")
    print(f"import fastnn: {results['import_ms']:.0f} ms beyond import numpy")


def together(files: list[dict]) -> dict:
    """The results of several runs as those of one, with the best limits of all."""
    first = files[0]
    for other in files[1:]:
        first["workloads"] |= other["workloads"]
        first["probe"] = max(first["probe"], other["probe"])
        for n, limits in first["limits"].items():
            first["limits"][n] = {name: max(value, other["limits"][n][name]) for name, value in limits.items()}
    return first


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=WORKLOADS,
        default=list(WORKLOADS),
        metavar="NAME",
        help=f"of {', '.join(WORKLOADS)}; default all",
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=CONTENDERS,
        default=list(CONTENDERS),
        metavar="NAME",
        help=f"of {', '.join(CONTENDERS)}; default all that are installed; fastnn and numpy take part always",
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=[1, 2],
        metavar="N",
        help="numbers of threads of which every peer gets its best, and fastnn the greatest; default 1 2",
    )
    parser.add_argument("--one-thread", action="store_true", help="measure fastnn on one thread, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures there")
    parser.add_argument(
        "--show", type=Path, nargs="+", metavar="FILE", help="measure nothing; print the table of these files together"
    )
    options = parser.parse_args(arguments)
    if options.show:
        show(together([json.loads(path.read_text()) for path in options.show]))
    else:
        show(run(options))


if __name__ == "__main__":
    main()
