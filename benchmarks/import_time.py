"""Measure what `import fastnn` costs beyond `import numpy`.

python benchmarks/import_time.py
"""

import os
import subprocess
import sys
import tempfile
import time
from statistics import median


def seconds_of(statement: str, cache: str) -> float:
    """Wall time of a fresh interpreter that runs one statement, with its bytecode in `cache`."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment | {"PYTHONPYCACHEPREFIX": cache})
    return time.perf_counter() - start


def import_seconds(rounds: int = 21) -> float:
    """Median over interleaved rounds of the difference between the two imports, both compiled before."""
    with tempfile.TemporaryDirectory() as cache:
        seconds_of("import fastnn", cache)
        return median(seconds_of("import fastnn", cache) - seconds_of("import numpy", cache) for _ in range(rounds))


if __name__ == "__main__":
    print(f"import fastnn: {import_seconds() * 1000:.0f} ms beyond import numpy")
