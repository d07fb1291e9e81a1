"""A contender in a process of its own, which is told what to do line by line.

Run as a script, ``process.py NAME``, this is that process: it reads commands from its standard input
and answers on its standard output, one line of JSON each, and begins with its version.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time

import contenders
import numpy as np
from workloads import WORKLOADS, Inference


class Process:
    """A contender on the first `threads` CPUs that this process may use."""

    def __init__(self, name: str, threads: int):
        self.name, self.threads = name, threads
        self.messages = tempfile.TemporaryFile("w+")  # noqa: SIM115 - libraries talk a lot; shown if the process ends
        self.process = subprocess.Popen(
            [sys.executable, __file__, name],
            env=environment(name, threads),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.messages,
        )
        restrict(self.process.pid, threads)
        self.version = self.answer()["version"]

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.messages.seek(0)
            sys.exit(f"{self.messages.read()}\n{self.name}: the process ended, see above")
        return json.loads(line)

    def ask(self, command: str, **arguments) -> dict:
        print(json.dumps({"command": command, **arguments}), file=self.process.stdin, flush=True)
        return self.answer()

    def build(self, workload: str, steps: int | None = None) -> str | None:
        """Prepare a workload; the reason if it cannot.

        It is run a little, which compiles, starts threads and touches memory; not if other `steps` are given.
        """
        return self.ask("build", workload=workload, steps=steps).get("unsupported")

    def run(self, steps: int, epochs: int = 1) -> dict:
        """Seconds of a step or call, and the mean loss of the steps, of so many times so many."""
        return self.ask("run", steps=steps, epochs=epochs)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.messages.close()


def environment(name: str, threads: int) -> dict[str, str]:
    """The variables of a contender's process: every library it may use gets the same number of threads."""
    libraries = ("OMP", "MKL", "OPENBLAS", "BLIS", "FASTNN")
    variables = [f"{library}_NUM_THREADS" for library in libraries]
    variables += ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"]
    return (
        dict(os.environ)
        | dict.fromkeys(variables, str(threads))
        | {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={threads}",
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        | dict(contenders.CONTENDERS[name].environment)
    )


def restrict(pid: int, threads: int) -> None:
    """Keep a process on the first CPUs; JAX has no other way to be told the number of threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, sorted(os.sched_getaffinity(0))[:threads])


class Training:
    """Runs the steps of a contender that trains."""

    def __init__(self, contender, load):
        self.contender, self.warm_up = contender, min(10, load.steps)
        contender.build(load)

    def run(self, steps: int) -> float:
        return self.contender.run(steps)


class Calls:
    """Runs the calls of a contender that infers, whose first answer has to be the right one."""

    warm_up = 10

    def __init__(self, contender, load):
        self.call = contender.inference(load)
        np.testing.assert_allclose(np.asarray(self.call()), load.expected(), rtol=1e-3, atol=1e-6)

    def run(self, steps: int) -> None:
        call = self.call
        for _ in range(steps):
            call()


def serve(name: str) -> None:
    """Answer commands until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    contender, job, answer = contenders.make(name), None, {"version": contenders.version(name)}
    while True:
        print(json.dumps(answer), file=answers, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        told = json.loads(line)
        if told["command"] == "run":
            steps, epochs = told["steps"], told["epochs"]
            start = time.perf_counter()
            losses = [job.run(steps) for _ in range(epochs)]
            seconds = (time.perf_counter() - start) / (steps * epochs)
            answer = {"seconds": seconds, "loss": None if losses[0] is None else sum(losses) / epochs}
            continue
        load = WORKLOADS[told["workload"]]
        load = dataclasses.replace(load, steps=told["steps"] or load.steps)
        kind, method = (Calls, "inference") if isinstance(load, Inference) else (Training, "build")
        try:
            if not hasattr(contender, method):
                raise NotImplementedError("no training")
            job, answer = kind(contender, load), {}
            if told["steps"] is None:
                job.run(job.warm_up)
        except NotImplementedError as error:
            answer = {"unsupported": str(error)}


if __name__ == "__main__":
    serve(sys.argv[1])
