"""How many threads run by default, what limits them, and that the results never depend on it."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from nets import class_patterns, five_layers, spy_on_calls
from threadpoolctl import threadpool_limits

import fastnn
from fastnn import config
from fastnn.execute import OPENMP_THREADS_AT_IMPORT, has_openmp, team_size

openmp = pytest.mark.skipif(not has_openmp(), reason="a build without OpenMP has one thread")


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


# The quota of a container. Trees as the kernel shows them: membership, files, CPUs.

CGROUPS = {
    "none": ("", {}, None),
    "version 2, unlimited": ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n"}, None),
    "version 2, whole": ("0::/a\n", {"a/cpu.max": "300000 100000\n"}, 3),
    "version 2, rounded up": ("0::/a\n", {"a/cpu.max": "150000 100000\n"}, 2),
    "version 2, less than one": ("0::/a\n", {"a/cpu.max": "5000 100000\n"}, 1),
    "version 2, another period": ("0::/a\n", {"a/cpu.max": "100000 20000\n"}, 5),
    "version 2, of a parent": (
        "0::/a/b/c\n",
        {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n", "a/b/c/cpu.max": "400000 100000\n"},
        2,
    ),
    "version 2, in a namespace": ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
    "version 2, not ours": ("0::/a\n", {"b/cpu.max": "100000 100000\n"}, None),
    "version 2, without the file": ("0::/a\n", {"a/memory.max": "max\n"}, None),
    "version 2, nonsense": ("0::/a\n", {"a/cpu.max": "many\n"}, None),
    "version 1": (
        "5:memory:/m\n4:cpu,cpuacct:/a\n",
        {"cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
        3,
    ),
    "version 1, unlimited": (
        "4:cpu:/a\n",
        {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
        None,
    ),
    "version 1, the path outside of the container": (
        "4:cpu,cpuacct:/docker/0123\n",
        {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"},
        1,
    ),
    "version 1, under the names of both controllers": (
        "4:cpu,cpuacct:/a\n",
        {"cpu,cpuacct/a/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"},
        2,
    ),
    "both, version 1 has the quota": (
        "4:cpu:/a\n1:name=systemd:/a\n0::/a\n",
        {"cpu/a/cpu.cfs_quota_us": "400000\n", "cpu/a/cpu.cfs_period_us": "100000\n", "unified/a/cgroup.procs": ""},
        4,
    ),
    "only cpuset and cpuacct": (
        "4:cpuset:/a\n3:cpuacct:/a\n",
        {"cpu/a/cpu.cfs_quota_us": "100000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
        None,
    ),
}


@pytest.mark.parametrize("name", CGROUPS)
def test_cgroup_quota(name, tmp_path):
    membership, files, cpus = CGROUPS[name]
    process = write(tmp_path, {"cgroup": membership}) / "cgroup"
    assert config.cgroup_cpus(write(tmp_path / "tree", files), process) == cpus


def test_a_system_without_cgroups(tmp_path):
    assert config.cgroup_cpus(tmp_path, tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("siblings", "cores"),
    [([], None), (["0", "1"], 2), (["0-1", "0-1", "2-3", "2-3"], 2), (["0,4", "1,5", "0,4", "1,5", "6"], 3)],
)
def test_physical_cores(siblings, cores, tmp_path):
    files = {f"cpu{i}/topology/thread_siblings_list": f"{text}\n" for i, text in enumerate(siblings)}
    assert config.physical_cores(write(tmp_path, files | {"cpufreq/x": "", "cpu99/online": "0"})) == cores


# The default


@pytest.fixture
def machine(monkeypatch):
    """Sets affinity, machine limits and environment of a pretended machine."""
    for name in ("OMP_NUM_THREADS", "FASTNN_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)

    def set_to(affinity=64, limits=(), omp=None, openmp=64):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(affinity)), raising=False)
        monkeypatch.setattr(config, "machine_limits", lambda: list(limits))
        monkeypatch.setattr("fastnn.execute._native.max_threads", lambda: openmp)
        monkeypatch.setattr("fastnn.execute.OPENMP_THREADS_AT_IMPORT", 64)
        if omp is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", omp)

    return set_to


@pytest.mark.parametrize(
    ("pretended", "threads"),
    [
        ({}, 64),
        ({"affinity": 3}, 3),
        ({"limits": [5, 7]}, 5),
        ({"omp": "4"}, 4),
        ({"omp": "4,2"}, 4),
        ({"omp": " 6 "}, 6),
        ({"omp": "0"}, 64),
        ({"omp": "many"}, 64),
        ({"omp": "100"}, 64),
        ({"affinity": 8, "limits": [6], "omp": "7"}, 6),
        ({"affinity": 1, "limits": [6], "omp": "7"}, 1),
    ],
)
def test_default_is_the_smallest_limit(pretended, threads, machine):
    machine(**pretended)
    assert config.default_threads() == fastnn.get_num_threads() == threads
    assert team_size() == (threads if has_openmp() else 1)


@openmp
def test_explicit_numbers_override_limits_but_that_of_openmp(machine, monkeypatch):
    machine(affinity=2, limits=[2], omp="2")
    monkeypatch.setenv("FASTNN_NUM_THREADS", "5")
    assert team_size() == 5
    with fastnn.threads(100):
        assert team_size() == 100
        machine(openmp=3)  # somebody changed it since the import
        assert team_size() == 3
    assert team_size() == 3
    monkeypatch.delenv("FASTNN_NUM_THREADS")
    assert team_size() == 2


@openmp
def test_openmp_limited_before_the_import(machine, monkeypatch):
    """A worker of joblib imports fastnn where OpenMP is limited already."""
    machine(openmp=1)
    monkeypatch.setattr("fastnn.execute.OPENMP_THREADS_AT_IMPORT", 1)
    assert team_size() == 1
    with fastnn.threads(4):
        assert team_size() == 4


@openmp
def test_threadpoolctl(monkeypatch):
    monkeypatch.setenv("FASTNN_FORCE_THREADS", "1")
    x, _ = class_patterns(64)
    model = five_layers()
    wanted, calls = model.predict(x).tobytes(), spy_on_calls(monkeypatch)

    def team():
        assert model.predict(x).tobytes() == wanted
        return {call.team for call in calls[-2:]}

    most = OPENMP_THREADS_AT_IMPORT
    with fastnn.threads(most + 3):
        for limit in (1, most + 1, most + 2):
            with threadpool_limits(limit):
                assert team() == {limit}
            with threadpool_limits(limit, user_api="openmp"):
                assert team() == {limit}
            with threadpool_limits(limit, user_api="blas"):
                assert team() == {most + 3}
        assert team() == {most + 3}
    with threadpool_limits(1):
        assert team() == {1}


# Processes with other settings compute the same bits.

PROGRAM = """
import hashlib, json, os, sys
exec(sys.argv[1])
import numpy as np
import fastnn
from fastnn.execute import NativeExecutor
exec(sys.argv[2])

teams, run = set(), NativeExecutor.run

def spied(*args, **kwargs):
    result = run(*args, **kwargs)
    teams.add(result.team)
    return result

NativeExecutor.run = spied
x, y = np.arange(100 * 96).reshape(100, 96) ** 2 % 97 / 97, np.arange(100) % 7
fastnn.set_random_seed(1)
model = fastnn.Sequential([fastnn.layers.Dense(64, activation="gelu", input_shape=(96,)), fastnn.layers.Dropout(0.1),
                           fastnn.layers.Dense(7, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, epochs=2, verbose=0)
exec(sys.argv[2])
model.fit(x, y, epochs=2, verbose=0)
state = [w.tobytes() for w in model.get_weights()] + [model.predict(x, verbose=0).tobytes()]
print(json.dumps([sorted(teams), hashlib.sha256(b"".join(state)).hexdigest()]))
"""


def outcome(before="", after="", **environment):
    """Teams and a digest of a process that executes code before and after it imports fastnn."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "FASTNN_NUM"))}
    environment = kept | {"FASTNN_FORCE_THREADS": "1"} | environment
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, before, after]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def digest():
    """Of one thread."""
    teams, digest = outcome(FASTNN_NUM_THREADS="1")
    assert teams == [1]
    return digest


FOUR = {"FASTNN_NUM_THREADS": "4"}


@openmp
@pytest.mark.parametrize(
    ("environment", "teams"),
    [
        (FOUR, [4]),
        (FOUR | {"OMP_DYNAMIC": "true"}, None),  # as many as OpenMP likes
        (FOUR | {"OMP_THREAD_LIMIT": "3"}, [3]),
        (FOUR | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "active", "OMP_PROC_BIND": "close"}, [4]),
        (FOUR | {"OMP_MAX_ACTIVE_LEVELS": "3", "OMP_STACKSIZE": "300K", "OMP_SCHEDULE": "dynamic"}, [4]),
        ({"OMP_NUM_THREADS": "1"}, [1]),
    ],
    ids=["four", "dynamic", "limit", "bound", "stack", "default"],
)
def test_settings_of_openmp(environment, teams, digest):
    found, bits = outcome(**environment)
    assert bits == digest and found == (teams or found)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_affinity(digest):
    """One CPU: one thread by default, and four that take turns where they are asked for."""
    one = "os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])"
    assert outcome(before=one) == [[1], digest]
    assert outcome(after=one)[1] == digest
    assert outcome(before=one, **FOUR) == [[4 if has_openmp() else 1], digest]


WORK = {
    "torch": "import torch; torch.set_num_threads(4); a = torch.ones(600, 600); assert (a @ a)[0, 0] == 600",
    "sklearn": """
import numpy
from sklearn.metrics import pairwise_distances_argmin
a = numpy.arange(9000.0).reshape(3000, 3) ** 2 % 7
assert pairwise_distances_argmin(a, a[:20]).max() < 20""",
}


@pytest.mark.parametrize("peer", WORK)
@pytest.mark.parametrize("when", ["before", "after"])
def test_other_libraries_with_threads(peer, when, digest):
    if not importlib.util.find_spec(peer):
        pytest.skip(f"{peer} is not installed")
    found, bits = outcome(**{when: WORK[peer]}, **FOUR)
    assert bits == digest and found == [4 if has_openmp() else 1]


@pytest.mark.parametrize(
    ("environment", "size"),
    [
        ({}, 0),
        ({"OMP_STACKSIZE": "512"}, 512 << 10),
        ({"OMP_STACKSIZE": " 8 m "}, 8 << 20),
        ({"OMP_STACKSIZE": "70000b"}, 70000),
        ({"OMP_STACKSIZE": "2G", "GOMP_STACKSIZE": "1"}, 2 << 30),
        ({"GOMP_STACKSIZE": "100K"}, 100 << 10),
        ({"OMP_STACKSIZE": "big", "GOMP_STACKSIZE": "3M"}, 3 << 20),
        ({"OMP_STACKSIZE": "-1"}, 0),
        ({"OMP_STACKSIZE": "9999999999999999999"}, 0),
    ],
)
def test_stack_of_workers(environment, size, monkeypatch):
    """As OpenMP reads it, whose threads must fit into what was found to be free."""
    for name in ("OMP_STACKSIZE", "GOMP_STACKSIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert config.worker_stack_bytes.__wrapped__() == size
