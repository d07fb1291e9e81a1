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

import ctypes, gc, json, locale, os, random, signal, threading, warnings
import numpy as np

libm = ctypes.CDLL(None)

def state():
    tasks, files = "/proc/self/task", "/proc/self/fd"
    return {
        "environment": dict(os.environ),
        "signals": {s.name: repr(signal.getsignal(s)) for s in signal.valid_signals() if isinstance(s, signal.Signals)},
        "wake-up": signal.set_wakeup_fd(-1),
        "warnings": [repr(f) for f in warnings.filters] + [repr(warnings.showwarning)],
        "numpy random": repr(np.random.get_state()),
        "random": hash(random.getstate()),
        "threads": [t.name for t in threading.enumerate()],
        "tasks": len(os.listdir(tasks)) if os.path.isdir(tasks) else None,
        "files": sorted(os.listdir(files)) if os.path.isdir(files) else None,
        "locale": locale.setlocale(locale.LC_ALL),
        "numpy errors": [np.geterr(), repr(np.geterrcall()), np.get_printoptions()["precision"]],
        "rounding": libm.fegetround() if hasattr(libm, "fegetround") else None,
        "denormals": float(np.float32(1e-40) * np.ones(9, np.float32)[3]),
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "folder": os.getcwd(),
        "hooks": [repr(h) for h in (sys.excepthook, sys.displayhook, threading.excepthook, sys.gettrace())],
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), gc.get_threshold(), gc.isenabled()],
        "path": sys.path,
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
