"""Saves a model over an old one, again and again, each time with another system call that fails or kills.

    python failing_saves.py library folder

Run with `library`, made of failing_calls.c, preloaded; prints what happened as JSON.
"""

import ctypes
import errno
import json
import os
import sys
from pathlib import Path

import numpy as np

import fastnn

library, folder = ctypes.CDLL(sys.argv[1]), Path(sys.argv[2])
path = folder / "model.safetensors"


def model(value):
    made = fastnn.Sequential([fastnn.layers.Dense(200, input_shape=(100,), name="only")], name="model")
    made.set_weights([np.full((100, 200), value), np.full(200, value)])
    made.compile("sgd", "mse")
    return made


old, new = model(1.0), model(2.0)
new.save(path)
after = path.read_bytes()
old.save(path)
before = path.read_bytes()
fastnn.load_model(path)


def attempt(at, error):
    """What a process ends with in which call `at` fails; its exit code is 2 + errno, 1 for success."""
    process = os.fork()
    if not process:
        code = 1
        library.arm(at, error)
        try:
            new.save(path)
        except OSError as failure:
            code = 2 + failure.errno if failure.filename == str(path) else 0
        finally:
            library.counted()
            os._exit(code)
    _, status = os.waitpid(process, 0)
    found = {"at": at, "error": error, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}
    found["exit"] = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    found["holds"] = {before: "old", after: "new"}.get(path.read_bytes(), "damage")
    found["loads"] = fastnn.load_model(path).get_weights()[0].flat[0]
    found["left"] = sorted(p.name for p in folder.iterdir() if p != path)
    for name in found["left"]:
        (folder / name).unlink()
    if found["holds"] != "old":
        old.save(path)
    return found


results = []
for error in (0, errno.ENOSPC, errno.EIO, errno.EACCES):
    for at in range(100):
        results.append(attempt(at, error))
        if results[-1]["exit"] == 1:
            break  # there was no such call
print(json.dumps(results, default=float))
