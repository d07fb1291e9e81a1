"""Measure what it costs that sums have one order, whatever the threads, the machine and the batch.

    python benchmarks/determinism.py [--threads N]

README.md in this folder says what the columns are.
"""

import argparse
import os
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from contenders.fastnn_fit import Fastnn
from workloads import WORKLOADS, Inference

import fastnn
from fastnn.execute import current_isa

HERE = Path(__file__).parent
FLAGS = {  # as in setup.py
    "portable": ["-Wno-psabi"],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
    "neon": [],
}
NOTABLE = 0.95  # of our order's time: then the other way is named
ROUNDS = 5  # of whole steps, of which the best counts, and of all kernels, of which the median does


@dataclass
class Work:
    """Some work of one step: how often which kernel runs, on one thread or (together) on all."""

    name: str
    questions: dict[str, int]
    together: bool = False
    answers: list[tuple[float, float, float]] = field(default_factory=list)
    ways: set[str] = field(default_factory=set)


def work_of(load, threads: int) -> list[Work]:
    """The work of a step, or call, in which the order of sums plays a part."""
    sizes = load.network.sizes if isinstance(load, Inference) else load.sizes
    threads = 1 if isinstance(load, Inference) and load.batch == 1 else threads
    rows, layers = -(-load.batch // threads), list(pairwise(sizes))
    found = [Work("products, forward", {f"product {rows} {i} {o} 0": threads for i, o in layers})]
    if isinstance(load, Inference):
        return found
    found += [
        Work("products, gradients of weights", {f"product {i} {load.batch} {o} 1": 1 for i, o in layers}),
        Work("softmax and loss", {f"loss {rows} {sizes[-1]}": threads}),
        Work("loss of the batch", {f"total {load.batch}": 1}),
    ]
    if threads == 2:
        units = " ".join(str(o) for _, o in layers)
        found.append(Work("gradients of biases", {f"biases {load.batch} {units}": 1}, together=True))
    return found


def ask(program: Path, works: list[Work]) -> None:
    """One round of all kernels."""
    questions = [question for work in works for question in work.questions]
    told = subprocess.run([program], input="\n".join(questions), text=True, check=True, stdout=subprocess.PIPE).stdout
    lines = iter(told.splitlines())
    for work in works:
        total = [0.0, 0.0, 0.0]
        for times in work.questions.values():
            *nanoseconds, _, best = next(lines).split()
            if float(nanoseconds[2]) < NOTABLE * float(nanoseconds[1]):
                work.ways.add(best)
            total = [t + times * float(ns) / 1000 for t, ns in zip(total, nanoseconds, strict=True)]
        work.answers.append((total[0], total[1], total[2]))


def seconds_of(load) -> float:
    """What a step, or call, takes."""
    contender, seconds = Fastnn(), []
    if isinstance(load, Inference):
        call, times = contender.inference(load), load.steps // 10
    else:
        contender.build(load)
        call, times = (lambda: contender.run(load.steps)), 1
    steps = times if isinstance(load, Inference) else load.steps
    call()
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(times):
            call()
        seconds.append((time.perf_counter() - start) / steps)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", default=["W1", "W2a", "W2b", "W6a"], metavar="NAME")
    parser.add_argument("--threads", type=int, default=fastnn.get_num_threads(), choices=(1, 2))
    options = parser.parse_args()
    isa, lines = current_isa(), []
    with tempfile.TemporaryDirectory() as folder:
        program, source = Path(folder, "determinism"), HERE / "determinism.c"
        flags = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-pthread", *FLAGS[isa]]
        flags += [f"-I{HERE.parent / 'csrc'}", f'-DISA_SOURCE="isa/{isa}.c"']
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run([*compiler, *flags, source, "-o", program, "-lm"], check=True)
        for name in options.workloads:
            load = WORKLOADS[name]
            works = work_of(load, options.threads)
            for _ in range(ROUNDS):
                ask(program, works)
            with fastnn.threads(options.threads):
                step = seconds_of(load) * 1e6
            saved = [0.0, 0.0]
            for work in works:
                ours, same, free = (median(column) for column in zip(*work.answers, strict=True))
                team = 1 if work.together or (isinstance(load, Inference) and load.batch == 1) else options.threads
                shares = [100 * gain / team / step for gain in (ours - same, same - free)]
                saved = [s + share for s, share in zip(saved, shares, strict=True)]
                figures = [f"{us:.2f}" for us in (ours, same, free)] + [f"{share:.1f}" for share in shares]
                lines.append([name, work.name, *figures, ", ".join(sorted(work.ways))])
            lines.append([name, f"a step of {step:.0f} us", "", "", "", *(f"{s:.1f}" for s in saved), ""])
    print(f"{platform.machine()}, {isa}, {options.threads} threads; microseconds of all threads, % of a step\n")
    head = ["workload", "work", "ours", "our order", "any order", "saved by tiles, %", "saved by order, %", "how"]
    for line in [head, ["---"] * len(head), *lines]:
        print("| " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
