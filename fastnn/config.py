"""Settings of the process: threads, random seed, floating type.

Nothing is read or changed at import; environment variables are read when they are needed.
"""

import functools
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .errors import check_integer, invalid, is_one_of, unknown

_floatx = "float32"
_threads: int | None = None
_scoped = threading.local()
_seed: int | None = None
_stream = 0

POLICIES = ("raise", "skip", "ignore")
_on_nonfinite = "raise"


def floatx() -> str:
    """Floating type of new layers: "float32", or "float64" for runs with the NumPy executor."""
    return _floatx


def set_floatx(value: str) -> None:
    """Set the floating type of new layers.

    Parameters
    ----------
    value : {"float32", "float64"}
        The C kernels compute float32. "float64" selects the NumPy executor, which is much slower:
        a reference for checking results.
    """
    global _floatx
    if not is_one_of(value, ("float32", "float64")):
        raise unknown("floatx", value, ("float32", "float64"))
    _floatx = value


def on_nonfinite() -> str:
    """What training does by default when loss or gradients are not finite; "raise" unless it was set."""
    return _on_nonfinite


def set_on_nonfinite(value: str) -> None:
    """Set what training does by default when loss or gradients are not finite.

    Parameters
    ----------
    value : {"raise", "skip", "ignore"}
        As the argument `on_nonfinite` of `fit`.
    """
    global _on_nonfinite
    if not is_one_of(value, POLICIES):
        raise unknown("on_nonfinite", value, POLICIES)
    _on_nonfinite = value


# Threads


def check_threads(argument: str, n: object) -> int:
    """A thread count as an int of at least 1, or the error."""
    return check_integer(argument, n, 1, "an integer from 1 to 1024", "pass the number of threads", 1024)


def set_num_threads(n: int | None) -> None:
    """Set how many threads training and prediction use; None returns to the default.

    Results are equal to the last bit for any number. An explicit number overrides every automatic
    limit except those set through threadpoolctl. Where the system cannot create so many, or other processes
    keep their CPUs busy, fewer run.

    Parameters
    ----------
    n : int or None

    Examples
    --------
    >>> import fastnn
    >>> fastnn.set_num_threads(2)
    >>> fastnn.get_num_threads()
    2
    >>> fastnn.set_num_threads(None)
    """
    global _threads
    _threads = None if n is None else check_threads("n", n)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Use `n` threads inside a ``with`` block, in this Python thread only.

    Examples
    --------
    >>> import fastnn
    >>> with fastnn.threads(1):
    ...     fastnn.get_num_threads()
    1
    """
    before = getattr(_scoped, "threads", None)
    _scoped.threads = check_threads("n", n)
    try:
        yield
    finally:
        _scoped.threads = before


def num_threads() -> int:
    """Threads that the next run asks for.

    The first of: `threads`, `set_num_threads`, ``FASTNN_NUM_THREADS``, and the smallest of the
    affinity mask, the cgroup quota, the physical cores and ``OMP_NUM_THREADS``.
    """
    return explicit_threads() or default_threads()


def explicit_threads() -> int | None:
    """The number that somebody chose, or None."""
    explicit = getattr(_scoped, "threads", None) or _threads
    if explicit:
        return explicit
    name = "FASTNN_NUM_THREADS"
    text = os.environ.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise invalid(f"environment variable {name}", repr(text), "a positive integer", "correct or unset it")
    return check_threads(f"environment variable {name}", int(text))


def force_threads() -> bool:
    """Whether ``FASTNN_FORCE_THREADS=1`` asks to share even the smallest step, however busy the machine is."""
    return os.environ.get("FASTNN_FORCE_THREADS") == "1"


def debug() -> int:
    """What ``FASTNN_DEBUG`` asks for: 1 prints plans, 2 times their steps, 3 checks each step; else 0.

    Level 3 runs every step alone, and compares what it wrote with its reference in float64.
    """
    text = os.environ.get("FASTNN_DEBUG", "").strip() or "0"
    if text not in ("0", "1", "2", "3"):
        raise invalid("environment variable FASTNN_DEBUG", repr(text), "0, 1, 2 or 3", "correct or unset it")
    return int(text)


def default_threads() -> int:
    """The smallest of affinity mask, cgroup quota, physical cores and ``OMP_NUM_THREADS``."""
    limits = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    limits += machine_limits()
    omp = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if omp.isdecimal() and int(omp) > 0:
        limits.append(int(omp))
    return max(1, min(limits))


@functools.cache
def machine_limits() -> list[int]:
    """What the container's quota and the processor allow, read once."""
    return [n for n in (cgroup_cpus(), physical_cores()) if n]


def cgroup_cpus(root: Path = Path("/sys/fs/cgroup"), process: Path = Path("/proc/self/cgroup")) -> int | None:
    """CPUs that the cgroup quota (version 2 or 1) allows, rounded up; None without a quota."""
    try:
        lines = process.read_text().splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        version2 = controllers == ""
        if not version2 and "cpu" not in controllers.split(","):
            continue
        bases = [root] if version2 else [root / "cpu", root / controllers]
        inside = Path(path.lstrip("/"))
        for folder in (base / p for base in bases for p in (inside, *inside.parents)):
            try:
                if version2:
                    quota, period = (folder / "cpu.max").read_text().split()
                else:
                    quota = (folder / "cpu.cfs_quota_us").read_text().strip()
                    period = (folder / "cpu.cfs_period_us").read_text()
                if quota not in ("max", "-1"):
                    quotas.append(-(-int(quota) // int(period)))
            except (OSError, ValueError):
                continue
    return max(1, min(quotas)) if quotas else None


def physical_cores(cpus: Path = Path("/sys/devices/system/cpu")) -> int | None:
    """Cores, counting hardware threads of one core once; None where the system does not say."""
    siblings = set()
    for path in cpus.glob("cpu[0-9]*/topology/thread_siblings_list"):
        try:
            siblings.add(path.read_text().strip())
        except OSError:
            return None
    return len(siblings) or None


@functools.cache
def worker_stack_bytes() -> int:
    """Stack of each thread that OpenMP creates, which also reads it once; 0 for the system's default."""
    for name in ("OMP_STACKSIZE", "GOMP_STACKSIZE"):
        found = re.fullmatch(r"\s*(\d+)\s*([BKMG]?)\s*", os.environ.get(name, ""), re.IGNORECASE)
        if found:
            size = int(found[1]) << {"B": 0, "K": 10, "M": 20, "G": 30}[found[2].upper() or "K"]
            return size if size < 2**63 else 0
    return 0


# Random numbers


def set_random_seed(seed: int) -> None:
    """Make what follows reproducible: weights, shuffling and dropout, to the last bit.

    As in Keras, Python's and NumPy's global generators are seeded too.

    Parameters
    ----------
    seed : int
        From 0 to ``2**32 - 1``.

    Examples
    --------
    >>> import fastnn
    >>> fastnn.set_random_seed(7)
    """
    global _seed, _stream
    seed = check_integer("seed", seed, 0, "an integer from 0 to 2**32 - 1", "pass such an integer", 2**32 - 1)
    random.seed(seed)
    np.random.seed(seed)
    _seed, _stream = seed, 0


def seed() -> int:
    """The 64-bit seed in force; drawn from the operating system unless one was set."""
    global _seed
    if _seed is None:
        _seed = int.from_bytes(os.urandom(8), "little")
    return _seed


@contextmanager
def random_state(seed: int, stream: int) -> Iterator[Callable[[], int]]:
    """Have what is done inside draw as after `set_random_seed(seed)` and `stream` call sites, and nothing after it.

    Gives a function that says how many call sites there are now.
    """
    global _seed, _stream
    before, (_seed, _stream) = (_seed, _stream), (seed, stream)
    try:
        yield lambda: _stream
    finally:
        _seed, _stream = before


def next_stream() -> int:
    """A number for the next call site of random numbers (an initializer, a dropout layer)."""
    global _stream
    _stream += 1
    return _stream % 2**32
