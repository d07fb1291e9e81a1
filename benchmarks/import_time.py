"""Measure what `import fastnn` costs beyond `import numpy`.

python benchmarks/import_time.py
"""

import subprocess
import sys
import time
from statistics import median


def seconds_of(statement: str) -> float:
    """Wall time of a fresh interpreter that runs one statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def import_seconds(rounds: int = 21) -> float:
    """Median over interleaved rounds of the difference between the two imports."""
    for module in ("numpy", "fastnn"):
        seconds_of(f"import {module}")  # reads the files, compiles the bytecode
    return median(seconds_of("import fastnn") - seconds_of("import numpy") for _ in range(rounds))


if __name__ == "__main__":
    print(f"import fastnn: {import_seconds() * 1000:.0f} ms beyond import numpy")
