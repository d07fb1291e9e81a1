"""What is measured: small networks with their data, given as plain NumPy arrays."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

FIVE_LAYERS = (784, 200, 100, 60, 30, 10)
EPSILON = 1e-7  # of Adam
SLOTS = {"adam": 2, "momentum": 1, "sgd": 0}  # vectors beside the weights


@dataclass(frozen=True)
class Workload:
    """Training of one dense network.

    Attributes
    ----------
    sizes : tuple of int
        Features, units of each layer. The last layer is linear for "mse", softmax for "crossentropy".
    batch : int
    steps : int
        Steps of an epoch: the synthetic data have `steps` times `batch` rows.
    epochs : int
        Epochs of one round of compare.py; several where one would be over in no time.
    activation : {"relu", "sigmoid"}
        Of the hidden layers.
    optimizer : {"adam", "momentum", "sgd"}
        Adam with rate 0.001 and epsilon 1e-7, or gradient descent with rate 0.01, with momentum 0.9 or without.
    loss : {"crossentropy", "mse"}
        Cross-entropy with integer labels, or the mean squared error.
    dropout : float
        Rate behind each of the last three hidden layers; 0 for none.
    """

    sizes: tuple[int, ...]
    batch: int
    steps: int
    epochs: int = 1
    activation: str = "relu"
    optimizer: str = "adam"
    loss: str = "crossentropy"
    dropout: float = 0.0

    def __str__(self) -> str:
        parts = ["-".join(map(str, self.sizes)), self.activation if len(self.sizes) > 2 else "", self.optimizer]
        parts += [f"dropout {self.dropout}" if self.dropout else "", f"batch {self.batch}"]
        return " ".join(filter(None, parts))

    @property
    def rate(self) -> float:
        """Learning rate."""
        return 0.001 if self.optimizer == "adam" else 0.01

    @property
    def momentum(self) -> float:
        """Momentum of gradient descent."""
        return 0.9 if self.optimizer == "momentum" else 0.0

    @property
    def dropped(self) -> range:
        """Numbers of the layers, counted from 1, that dropout follows."""
        hidden = len(self.sizes) - 2
        return range(hidden - 2, hidden + 1) if self.dropout else range(0)

    @property
    def flops(self) -> float:
        """Operations of the matrix products of one step; the first layer has no gradient by its input."""
        products = [i * o for i, o in pairwise(self.sizes)]
        return 2.0 * self.batch * (3 * sum(products) - products[0])

    @property
    def state_bytes(self) -> int:
        """Bytes of the weights and of the optimizer's slots, all of which a step reads and writes."""
        return 4 * (1 + SLOTS[self.optimizer]) * sum((i + 1) * o for i, o in pairwise(self.sizes))

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Features in float32 and targets (int64 labels or float32 values) that can be learned."""
        rng = np.random.default_rng(1)
        x = rng.standard_normal((self.steps * self.batch, self.sizes[0]), dtype=np.float32)
        teacher = rng.standard_normal((self.sizes[0], self.sizes[-1]), dtype=np.float32)
        scores = x @ teacher / np.float32(np.sqrt(self.sizes[0]))
        return x, scores.argmax(1) if self.loss == "crossentropy" else np.sin(scores)

    def weights(self) -> list[np.ndarray]:
        """First weights in float32, kernel (inputs, outputs) and bias of each layer: Glorot uniform, zero."""
        rng, made = np.random.default_rng(2), []
        for i, o in pairwise(self.sizes):
            limit = np.sqrt(6 / (i + o))
            made += [rng.uniform(-limit, limit, (i, o)).astype(np.float32), np.zeros(o, np.float32)]
        return made


@dataclass(frozen=True)
class Inference:
    """Calls of the five-layer network with its first weights, ReLU and softmax, on rows that are in memory.

    Attributes
    ----------
    batch : int
        Rows of a call.
    steps : int
        Calls of one round.
    """

    batch: int
    steps: int
    epochs = 1

    def __str__(self) -> str:
        return f"inference of {'-'.join(map(str, FIVE_LAYERS))}, {self.batch} row{'s' * (self.batch > 1)}"

    @property
    def network(self) -> Workload:
        """The network; its data are the rows of one call."""
        return Workload(FIVE_LAYERS, self.batch, 1)

    @property
    def flops(self) -> float:
        """Operations of the matrix products of one call."""
        return 2.0 * self.batch * sum(i * o for i, o in pairwise(FIVE_LAYERS))

    def expected(self) -> np.ndarray:
        """What every contender has to answer, computed in float64."""
        (x, _), weights = self.network.data(), self.network.weights()
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = np.maximum(x.astype(np.float64) @ kernel + bias, 0)
        x = x @ weights[-2] + weights[-1]
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)


WORKLOADS: dict[str, Workload | Inference] = {
    "W1": Workload((784, 10), 128, 300, 4, optimizer="sgd"),
    "W2a": Workload(FIVE_LAYERS, 32, 600),
    "W2b": Workload(FIVE_LAYERS, 128, 300),
    "W2c": Workload(FIVE_LAYERS, 1024, 40, 2),
    "W2s": Workload(FIVE_LAYERS, 100, 300, activation="sigmoid"),
    "W2d": Workload(FIVE_LAYERS, 100, 300, dropout=0.5),
    "W3a": Workload((8, 512, 512, 512, 1), 32, 200, loss="mse"),
    "W3b": Workload((8, 512, 512, 512, 1), 256, 50, loss="mse"),
    "W4": Workload((10, 46, 46, 10), 128, 1000, 3, loss="mse"),
    "W5": Workload((784, 2048, 2048, 10), 256, 8, optimizer="momentum"),
    "W6a": Inference(1, 10000),
    "W6b": Inference(32, 2000),
    "W6c": Inference(4096, 20),
}
TRAINING = {name: load for name, load in WORKLOADS.items() if isinstance(load, Workload)}
