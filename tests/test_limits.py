"""Where the system refuses to create threads, training goes on with fewer, to the same bits.

OpenMP ends a process that it cannot create a thread for. The limits are set in forked children of a process that has
trained on one thread only; each says how it ended, on which teams it ran and what it computed. A library that is
loaded first counts the threads which are alive: a limit that is exact on any system.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from fastnn.execute import SPARE_THREADS, has_openmp

COUNTING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

atomic_int alive, most = 1 << 30;

typedef struct { void *(*start)(void *); void *argument; } work;

static void ended(void *unused) { alive--; }

static void *run(void *p)
{
    work w = *(work *)p; /* not freed: that would reserve memory for this thread */
    void *result;
    pthread_cleanup_push(ended, NULL);
    result = w.start(w.argument);
    pthread_cleanup_pop(1);
    return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    work *w = malloc(sizeof *w);
    int error = EAGAIN;
    *w = (work){start, argument};
    if (alive++ < most)
        error = create(thread, attributes, run, w);
    if (error) {
        alive--;
        free(w);
    }
    return error;
}

/* What a library with a parallel region of its own does. */
void call_in_team(int threads, void (*call)(void))
{
#pragma omp parallel num_threads(threads)
    call();
}
"""

PROGRAM = """
import contextlib, ctypes, json, os, resource, signal, sys, threading
import numpy as np
import fastnn
from fastnn.execute import NativeExecutor
from fastnn.layers import Dense, Dropout

teams, run = [], NativeExecutor.run

def spied(*args, **kwargs):
    result = run(*args, **kwargs)
    teams.append(result.team)
    return result

NativeExecutor.run = spied
x = np.arange(6400.0).reshape(100, 64) % 17 / 17
model = fastnn.Sequential([Dense(64, activation="relu", input_shape=(64,)), Dropout(0.1, seed=1), Dense(1)])
model.compile("adam", "mse")
first, slots = model.get_weights(), None
fastnn.set_random_seed(1)

def train(threads):
    # The bits after an epoch from the same beginning.
    teams.clear()
    model.set_weights(first)
    model.compile("adam", "mse")
    with fastnn.threads(threads):
        model.fit(x, x[:, 0], shuffle=False, verbose=0)
        model.predict(x, verbose=0)
    return [w.tobytes() for w in model.get_weights()]

def limit_threads(n):
    library = ctypes.CDLL(None)
    ctypes.c_int.in_dll(library, "most").value = ctypes.c_int.in_dll(library, "alive").value + n

def limit_address_space(megabytes):
    pages = int(open("/proc/self/statm").read().split()[0])
    limit = pages * resource.getpagesize() + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

def limit_processes(n):
    resource.setrlimit(resource.RLIMIT_NPROC, (n, n))
    if os.getuid() == 0:  # whom the limit does not bind
        with contextlib.suppress(OSError):  # a container that has no such user
            os.setresuid(64999, 64999, 64999)

def once():
    assert train(4) == wanted
    return teams

def growing():
    # Four threads, then two, which ends the others; a limit; four again; four in another thread.
    found, train_ = [], lambda n: train(n) == wanted and found.append(teams[0])
    train_(4)
    train_(2)
    limit_threads(1)
    train_(4)
    thread = threading.Thread(target=lambda: train_(4))
    thread.start()
    thread.join()
    return found

def forking():
    # A child that runs without the limit is not held to what its parent found.
    limit_threads(0)
    train(4)
    found = teams[:]
    limit_threads(7)
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, json.dumps(once()).encode())
        os._exit(0)
    os.wait()
    return found + json.loads(os.read(read, 1000))

def nested():
    # In each of two threads of a region that is not ours, where OpenMP could give us three.
    library, found = ctypes.CDLL(sys.argv[2]), []
    with fastnn.threads(4):
        wanted = model.predict(x, verbose=0).tobytes()
    teams.clear()

    def call():
        with fastnn.threads(3):
            found.append(model.predict(x, verbose=0).tobytes())

    library.call_in_team(2, ctypes.CFUNCTYPE(None)(call))
    assert found == [wanted, wanted]
    return teams

LIMITS = {"threads": limit_threads, "megabytes": limit_address_space, "processes": limit_processes}

def outcome(kind, amount):
    # How a child ended, and the teams that it ran on.
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        if kind in LIMITS:
            LIMITS[kind](amount)
        result = once() if kind in LIMITS else globals()[kind]()
        os.write(write, json.dumps(result).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        result = pipe.read()
    status = os.waitpid(child, 0)[1]
    return [status, json.loads(result) if status == 0 else None]

wanted = train(1)
print(json.dumps([outcome(*setting) for setting in json.loads(sys.argv[1])]))
"""

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limits are Linux'"),
    pytest.mark.skipif(not has_openmp(), reason="a build without OpenMP creates no threads"),
]
needs_its_own_memory = pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer ends a process without memory for its threads"
)


@pytest.fixture(scope="module")
def counting(tmp_path_factory):
    """The library that counts threads."""
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("counting")
    source, library = folder / "counting.c", folder / "counting.so"
    source.write_text(COUNTING)
    subprocess.run(["cc", "-shared", "-fPIC", "-fopenmp", "-O1", source, "-o", library, "-ldl"], check=True)
    return library


def outcomes(settings, library="", **environment):
    """For each setting the status with which the child ended, and its teams."""
    changes = {"FASTNN_FORCE_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | environment
    changes["LD_PRELOAD"] = f"{os.environ.get('LD_PRELOAD', '')} {library}".strip()
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, json.dumps(settings), str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | changes)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


def test_a_limit_of_threads(counting):
    found = outcomes([("threads", n) for n in range(9)], counting)
    assert [status for status, _ in found] == [0] * 9
    # Three threads beside the first one, if as many as are spared could be created, too.
    assert [set(teams) for _, teams in found] == [{min(max(1 + n - SPARE_THREADS, 1), 4)} for n in range(9)]


@needs_its_own_memory
def test_a_limit_of_address_space():
    """A stack takes eight of the megabytes; what one thread needs to train fits into the first."""
    found = outcomes([("megabytes", n) for n in (1, 8, 16, 24, 32, 40, 45, 54, 62, 90)], OMP_STACKSIZE=" 8 m")
    assert [status for status, _ in found] == [0] * 10
    teams = [max(teams) for _, teams in found]
    assert teams == sorted(teams) and set(teams) == {1, 2, 3, 4}


@needs_its_own_memory
def test_a_limit_of_address_space_and_large_stacks():
    found = outcomes([("megabytes", 1024 * n + 512) for n in range(9)], OMP_STACKSIZE="1G")
    assert [(status, max(teams)) for status, teams in found] == [(0, n) for n in (1, 1, 1, 1, 1, 2, 3, 4, 4)]


def test_a_limit_of_processes():
    """It counts the threads of the user, of whom other programs may run."""
    found = outcomes([("processes", n) for n in range(1, 11)])
    assert [status for status, _ in found] == [0] * 10
    assert all(max(teams) <= max(1, n - SPARE_THREADS) for n, (_, teams) in enumerate(found, 1))


def test_teams_that_grow_again(counting):
    assert outcomes([("growing", 0)], counting) == [[0, [4, 2, 2, 1]]]


def test_a_child_tries_anew(counting):
    ((status, teams),) = outcomes([("forking", 0)], counting)
    assert status == 0 and teams[0] == 1 and teams[-1] == 4


def test_nested_teams(counting):
    """OpenMP keeps no team of a nested region: each would be a risk anew."""
    ((status, teams),) = outcomes([("nested", 0)], counting, OMP_MAX_ACTIVE_LEVELS="2")
    assert status == 0 and set(teams) == {1}
