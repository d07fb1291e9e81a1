"""Time 5 epochs of W2b on MNIST as a process of its own: import, load, compile, train, test.

    python benchmarks/whole_process.py [--contenders numpy torch-eager ...] [--rounds N] [--threads 1 2] [--json FILE]

README.md in this folder says what is measured.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from compare import PAUSE
from contenders import CONTENDERS, installed
from process import environment, restrict
from report import spread
from targets import WHOLE_PROCESS, WHOLE_PROCESS_MB, verdict
from train_mnist import EPOCHS
from workloads import WORKLOADS

TRAIN = Path(__file__).with_name("train_mnist.py")


def run(name: str, threads: int) -> dict[str, float]:
    """Wall time, peak memory and accuracy of one process."""
    with tempfile.TemporaryFile("w+") as answer, tempfile.TemporaryFile("w+") as messages:
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, TRAIN, name], env=environment(name, threads), stdout=answer, stderr=messages
        )
        restrict(child.pid, threads)
        # The system counts at least the memory of the parent, which is why nothing large is imported here.
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)  # has been waited for
        answer.seek(0)
        messages.seek(0)
        if child.returncode:
            sys.exit(f"{messages.read()}\n{name}: the process ended with {child.returncode}")
        unit = 1 if sys.platform == "darwin" else 1024
        accuracy = float(answer.read().split()[-1])
    return {"seconds": seconds, "MB": usage.ru_maxrss * unit / 1e6, "accuracy": accuracy}


def measure(names: list[str], counts: list[int], rounds: int) -> dict[str, dict]:
    """Figures of every round, each contender with the number of threads that is faster in a first try."""
    found = {}
    for name in names:
        tries = {n: run(name, n)["seconds"] for n in (counts[-1:] if name == "fastnn" else counts)}
        found[name] = {"threads": min(tries, key=tries.__getitem__), "rounds": []}
    for _ in range(rounds):
        for name, figures in found.items():
            time.sleep(PAUSE)
            figures["rounds"].append(run(name, figures["threads"]))
    return found


def table(found: dict[str, dict]) -> str:
    """The Markdown table, and which targets are met."""
    lines = ["| contender (threads) | wall, s | over fastnn's | peak memory, MB | test accuracy |", "|---" * 5 + "|"]
    ratios = {}
    for name, figures in found.items():
        columns = {key: [one[key] for one in figures["rounds"]] for key in ("seconds", "MB", "accuracy")}
        pairs = zip(figures["rounds"], found["fastnn"]["rounds"], strict=True)
        all_ratios = [one["seconds"] / own["seconds"] for one, own in pairs]
        ratios[name] = median(all_ratios)
        lines.append(
            f"| {name} ({figures['threads']}) | {median(columns['seconds']):.2f} | {spread(all_ratios)} "
            f"| {max(columns['MB']):.0f} | {median(columns['accuracy']):.3f} |"
        )
    said = [verdict("eager", ratios["torch-eager"], WHOLE_PROCESS.eager)] if "torch-eager" in ratios else []
    best = min((n for n in ratios if n != "fastnn"), key=ratios.__getitem__, default=None)
    said += [verdict(f"peer ({best})", ratios[best], WHOLE_PROCESS.peer)] if best else []
    memory = max(one["MB"] for one in found["fastnn"]["rounds"])
    said.append(f"memory {'met' if memory <= WHOLE_PROCESS_MB else f'missed (at most {WHOLE_PROCESS_MB} MB)'}")
    return "\n".join([*lines, "", f"Targets: {', '.join(said)}"])


def main(arguments: list[str] | None = None) -> None:
    able = [name for name in CONTENDERS if name not in ("onnxruntime", "torch-compile")]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contenders", nargs="+", choices=able, default=able, metavar="NAME", help=", ".join(able))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N", help="as in compare.py")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures there")
    options = parser.parse_args(arguments)
    names = [n for n in able if n in ("fastnn", "numpy", *options.contenders) and installed(n)]
    # finds the files, or downloads them for all
    subprocess.run([sys.executable, "-c", "from fastnn.datasets import mnist; mnist.load_data()"], check=True)
    found = measure(names, sorted(set(options.threads)), options.rounds)
    print(f"{EPOCHS} epochs of {WORKLOADS['W2b']} on MNIST, from the start of the process to its end,")
    print(f"medians of {options.rounds} interleaved rounds; of the memory, the most.\n")
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps({"machine": platform.platform(), "contenders": found}, indent=1))


if __name__ == "__main__":
    main()
