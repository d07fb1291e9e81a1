"""Every contender does the same work: from the same weights, its losses are NumPy's step by step.

An epoch of one batch leaves no room for different orders of the rows. The losses of the first steps tell
of first weights, gradients, optimizers and their constants; dropout, which is random, is left out. Adam
divides by the size of a gradient, and so makes much of the rounding of those that are almost zero, and
PyTorch adds epsilon elsewhere: hence the tolerance.
"""

import pytest
from contenders import CONTENDERS, installed
from process import Process
from workloads import WORKLOADS, Inference

STEPS = 3
THREADS = 2


def losses(process, workload):
    why_not = process.build(workload, steps=1)
    if why_not:
        return why_not
    return [process.run(1)["loss"] for _ in range(STEPS)]


@pytest.fixture(scope="module")
def expected():
    process = Process("numpy", THREADS)
    yield {name: losses(process, name) for name, load in WORKLOADS.items() if not isinstance(load, Inference)}
    process.close()


@pytest.fixture(scope="module")
def process(request):
    if not installed(request.param):
        pytest.skip(f"{request.param} is not installed")
    process = Process(request.param, THREADS)
    yield process
    process.close()


@pytest.mark.parametrize("process", list(CONTENDERS), indirect=True)
def test_losses_and_answers_are_those_of_numpy(process, expected):
    for name, load in WORKLOADS.items():
        found = losses(process, name) if name in expected else process.build(name)
        print(f"{process.name} {name}: {found}")
        if isinstance(load, Inference):  # checks its first answer itself
            continue
        if not isinstance(found, str) and not load.dropout:
            assert found == pytest.approx(expected[name], rel=5e-3), name
