"""Measure the limits of this machine, and the least time that they leave for a workload: its roof.

    python benchmarks/limits.py [--threads 1 2]

README.md in this folder says how operations and bytes are counted.
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from workloads import WORKLOADS, Inference

MIB = 1 << 20
ROUNDS, SECONDS = 5, 0.03  # of each measurement, of which the best counts


class Machine:
    """The compiled `limits.c` as a process that answers questions, inside a ``with`` block."""

    def __enter__(self):
        with tempfile.TemporaryDirectory() as folder:  # a running program needs its file no more
            program = Path(folder, "limits")
            source = Path(__file__).with_suffix(".c")
            flags = ["-std=c11", "-O2", "-ffp-contract=fast", "-pthread"]
            subprocess.run([*os.environ.get("CC", "cc").split(), *flags, source, "-o", program], check=True)
            self.process = subprocess.Popen([program], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.caches = self.cache_sizes()
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, *question) -> list[float]:
        print(*question, file=self.process.stdin, flush=True)
        return [float(word) for word in self.process.stdout.readline().split()]

    def cache_sizes(self) -> dict[str, int]:
        """Bytes of the second and third level, 0 where there is none."""
        found = dict(zip(("L2", "L3"), map(int, self.ask("caches")), strict=True))
        for folder in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):  # truer than sysconf in some machines
            name, size = f"L{(folder / 'level').read_text().strip()}", (folder / "size").read_text().strip()
            if name in found:
                found[name] = int(size.rstrip("K")) * 1024
        return found

    def limits(self, threads: int) -> dict[str, float]:
        """Best GFLOP/s ("fma") and read-modify-write GB/s by level ("L2", "L3", "DRAM")."""
        l2, l3 = self.caches["L2"] or MIB, self.caches["L3"]
        parts = {"L2": l2 // 2, "L3": max(2 * l2, l3 // 2 // threads), "DRAM": 8 * max(l3, 8 * l2) // threads}
        questions = {"fma": ("fma", threads)} | {level: ("rmw", threads, size) for level, size in parts.items()}
        found = {}
        for name, question in questions.items():
            self.settle(threads)
            found[name] = max(self.ask(*question, SECONDS)[0] for _ in range(ROUNDS))
        return found

    def settle(self, threads: int) -> None:
        """Wait up to two seconds until each thread has a core of its own."""
        for _ in range(20):
            if self.probe(threads) > 0.9 * threads * self.probe(1):
                return
            time.sleep(0.1)

    def probe(self, threads: int) -> float:
        """GFLOP/s in some milliseconds; far less than ever before if the threads share a core, or have none."""
        return self.ask("probe", threads, 0.003)[0]


def level(state_bytes: int, threads: int, caches: dict[str, int]) -> str:
    """The level that holds weights and slots: each thread's part its L2, or all of them the common L3."""
    if state_bytes <= threads * caches["L2"]:
        return "L2"
    return "L3" if state_bytes <= caches["L3"] else "DRAM"


def roof(load, threads: int, limits: dict[str, float], caches: dict[str, int]) -> float:
    """Seconds that one step, or call, takes at least: operations at the peak, then the optimizer's bytes."""
    seconds = load.flops / (limits["fma"] * 1e9)
    if isinstance(load, Inference):
        return seconds
    # each float of the state is read once and written once
    return seconds + 2 * load.state_bytes / (limits[level(load.state_bytes, threads, caches)] * 1e9)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], metavar="N")
    options = parser.parse_args(arguments)
    with Machine() as machine:
        caches = machine.caches
        found = {n: machine.limits(n) for n in options.threads}
    print(f"L2 {caches['L2'] / MIB:g} MiB, L3 {caches['L3'] / MIB:g} MiB\n")
    print(
        "| limit | " + " | ".join(f"{n} thread{'s' * (n > 1)}" for n in found) + " |\n|---" + "|---" * len(found) + "|"
    )
    for name in next(iter(found.values())):
        title = "multiply-adds, GFLOP/s" if name == "fma" else f"read-modify-write {name}, GB/s"
        print(f"| {title} | " + " | ".join(f"{limits[name]:.0f}" for limits in found.values()) + " |")
    for name, load in WORKLOADS.items():
        roofs = [f"{roof(load, n, limits, caches) * 1000:.4f}" for n, limits in found.items()]
        print(f"| roof of {name}, ms | " + " | ".join(roofs) + " |")


if __name__ == "__main__":
    main()
