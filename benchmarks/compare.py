"""Compare training in fastnn with plain NumPy and with the peers that are installed.

    python benchmarks/compare.py [--workloads W1 W2b ...] [--rounds N] [--threads N] [--json FILE]

README.md in this folder says what is measured and how the ratios are made.
"""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from contenders import CONTENDERS
from import_time import import_seconds
from workloads import WORKLOADS

PAUSE = 0.1  # seconds before a round: until then the spinning threads of the one before are asleep


class Process:
    """A contender in a process of its own, on the first `threads` CPUs that this process may use."""

    def __init__(self, name: str, threads: int):
        variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "FASTNN_NUM_THREADS")
        environment = (
            dict(os.environ)
            | dict.fromkeys(variables, str(threads))
            | {
                "JAX_PLATFORMS": "cpu",
                "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={threads}",
            }
        )
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("contenders.py"), name],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if hasattr(os, "sched_setaffinity"):  # JAX has no other way to be told the number of threads
            os.sched_setaffinity(self.process.pid, sorted(os.sched_getaffinity(0))[:threads])
        self.version = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[-1]}: the process ended, see above")
        return json.loads(line)

    def ask(self, command: str, argument) -> dict:
        print(json.dumps([command, argument]), file=self.process.stdin, flush=True)
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(processes: dict[str, Process], workload: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds per step and loss of each round for the contenders that can do the workload."""
    steps = WORKLOADS[workload].steps
    able = [name for name, p in processes.items() if "unsupported" not in p.ask("build", workload)]
    for name in able:
        processes[name].ask("run", 10)  # compiles, starts threads, touches memory
    found = {name: {"ms": [], "loss": []} for name in able}
    for _ in range(rounds):
        for name in able:
            time.sleep(PAUSE)
            answer = processes[name].ask("run", steps)
            found[name]["ms"].append(answer["seconds"] / steps * 1000)
            found[name]["loss"].append(answer["loss"])
    return found


def ratios(found: dict[str, dict[str, list[float]]], name: str) -> list[float]:
    """A contender's time over fastnn's, round by round."""
    return [other / own for other, own in zip(found[name]["ms"], found["fastnn"]["ms"], strict=True)]


def cell(found: dict[str, dict[str, list[float]]], name: str) -> str:
    """What the table says of a contender: time, ratio to fastnn, range of the ratios."""
    if name not in found:
        return "-"
    text = f"{median(found[name]['ms']):.3f}"
    if name == "fastnn":
        return text
    all_ratios = ratios(found, name)
    return f"{text}, {median(all_ratios):.2f}x [{min(all_ratios):.2f}..{max(all_ratios):.2f}]"


def table(results: dict[str, dict], names: list[str]) -> str:
    """The Markdown table: milliseconds per step, and how many times fastnn's time that is."""
    lines = ["| workload | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for workload, found in results.items():
        lines.append(f"| {workload}: {WORKLOADS[workload]} | " + " | ".join(cell(found, name) for name in names) + " |")
    return "\n".join(lines)


def losses(results: dict[str, dict]) -> str:
    """First and last loss of each contender: equal work has about equal losses."""
    lines = []
    for workload, found in results.items():
        values = [f"{name} {f['loss'][0]:.4f} -> {f['loss'][-1]:.4f}" for name, f in found.items()]
        lines.append(f"Mean loss of the first and the last round, {workload}: " + ", ".join(values))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=WORKLOADS,
        default=["W2b"],
        metavar="NAME",
        help=f"of {', '.join(WORKLOADS)}; default W2b",
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=CONTENDERS,
        default=list(CONTENDERS),
        metavar="NAME",
        help=f"of {', '.join(CONTENDERS)}; default all that are installed",
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures there")
    options = parser.parse_args(arguments)

    always = {"fastnn", "numpy"}
    names = [n for n in CONTENDERS if n in always or (n in options.contenders and importlib.util.find_spec(n))]
    processes = {name: Process(name, options.threads) for name in names}
    results = {workload: measure(processes, workload, options.rounds) for workload in options.workloads}
    for process in processes.values():
        process.close()
    versions = {name: p.version for name, p in processes.items()}
    seconds = import_seconds()

    print(f"Milliseconds per step on {options.threads} threads, medians of {options.rounds} interleaved rounds,")
    print("and that time over fastnn's of the same round: median [least..most].\n")
    print(table(results, names))
    print(f"\n{losses(results)}")
    print(f"Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}")
    print(f"import fastnn: {seconds * 1000:.0f} ms beyond import numpy")
    if options.json:
        options.json.write_text(
            json.dumps(
                {
                    "machine": platform.platform(),
                    "threads": options.threads,
                    "rounds": options.rounds,
                    "versions": versions,
                    "import_ms": seconds * 1000,
                    "workloads": results,
                },
                indent=1,
            )
        )


if __name__ == "__main__":
    main()
