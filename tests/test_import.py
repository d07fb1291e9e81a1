"""`import fastnn` changes nothing in the process and imports only NumPy and the standard library."""

import json
import subprocess
import sys

import pytest

# NumPy is imported first: what it does is not ours.
SCRIPT = """
import sys

events = []

def audit(event, args):
    # "open" is opening a file; its mode is None where only a directory or a descriptor is meant
    writes = event == "open" and any(c in (args[1] or "") for c in "wax+")
    if writes or event.startswith(("socket.", "subprocess.", "os.fork", "os.putenv", "os.chdir", "os.system")):
        events.append((event, str(args)))

import atexit, ctypes, gc, json, locale, logging, os, random, resource, signal, threading, time, warnings
import numpy as np

libc = ctypes.CDLL(None)

def c_environment():
    # What C code sees and may change behind Python's back.
    try:
        entries, found = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ"), []
    except ValueError:
        return None
    while entries[len(found)]:
        found.append(entries[len(found)].decode(errors="replace"))
    return found

def c_signals():
    # Which signals are blocked, ignored and caught, also by C code.
    try:
        with open("/proc/self/status") as status:
            return [line for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]
    except OSError:
        return None

def floating_point():
    tiny, one = np.full(9, 1e-40, np.float32), np.ones(9, np.float32)
    with np.errstate(all="ignore"):
        denormals = [float((tiny * one)[3]), float((np.full(9, 1e-30, np.float32) * np.float32(1e-10))[3])]
    modes = [getattr(libc, name)() if hasattr(libc, name) else None for name in ("fegetround", "fegetexcept")]
    return modes + denormals

def state():
    tasks, files = "/proc/self/task", "/proc/self/fd"
    return {
        "environment": dict(os.environ),
        "C environment": c_environment(),
        "signals": {s.name: repr(signal.getsignal(s)) for s in signal.valid_signals() if isinstance(s, signal.Signals)},
        "C signals": c_signals(),
        "wake-up": signal.set_wakeup_fd(-1),
        "timers": [signal.getitimer(t) for t in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)],
        "warnings": [repr(f) for f in warnings.filters] + [repr(warnings.showwarning), repr(warnings.formatwarning)],
        "logging": [logging.root.level, repr(logging.root.handlers), logging.root.manager.disable],
        "numpy random": repr(np.random.get_state()),
        "random": hash(random.getstate()),
        "threads": [t.name for t in threading.enumerate()],
        "tasks": len(os.listdir(tasks)) if os.path.isdir(tasks) else None,
        "files": sorted(os.listdir(files)) if os.path.isdir(files) else None,
        "locale": locale.setlocale(locale.LC_ALL),
        "time zone": [time.tzname, time.timezone],
        "numpy": [np.geterr(), repr(np.geterrcall()), repr(np.get_printoptions()), np.getbufsize()],
        "floating point": floating_point(),
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "folder": os.getcwd(),
        "hooks": [repr(h) for h in (sys.excepthook, sys.displayhook, threading.excepthook, sys.gettrace())],
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), gc.get_threshold(), gc.isenabled()],
        "process limits": [resource.getrlimit(getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT")],
        "priority": [os.getpriority(os.PRIO_PROCESS, 0), os.getpgrp(), os.getuid()],
        "streams": [id(s) for s in (sys.stdin, sys.stdout, sys.stderr)],
        "importing": [list(sys.path), repr(sys.meta_path), repr(sys.path_hooks)],
        "at exit": atexit._ncallbacks(),
        "umask": (lambda mask: (os.umask(mask), mask)[1])(os.umask(0o22)),
    }

before, modules = state(), set(sys.modules)
sys.addaudithook(audit)
import fastnn
found = list(events)
after = state()
new = {name.partition(".")[0] for name in set(sys.modules) - modules}
print(json.dumps({
    "changed": {name: [before[name], after[name]] for name in before if before[name] != after[name]},
    "events": found,
    "imported": sorted(n for n in new - set(sys.stdlib_module_names) - {"numpy", "fastnn"} if "_cython" not in n),
    "plotting": "matplotlib" in sys.modules,
}))
"""


@pytest.fixture(scope="module")
def found():
    command = [sys.executable, "-B", "-W", "error", "-c", SCRIPT]  # -B: writing bytecode is Python's doing
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_nothing_has_changed(found):
    assert found["changed"] == {}


def test_nothing_is_written_started_or_connected(found):
    assert found["events"] == []


def test_only_numpy_is_imported(found):
    """Not tqdm, matplotlib, pooch or scikit-learn: they are imported where they are used."""
    assert found["imported"] == [] and not found["plotting"]
