"""PyTorch: eager, with its fused optimizers, and compiled."""

import os
from itertools import pairwise

from workloads import EPSILON


class Torch:
    """Eager with the default optimizer; the data are one tensor, not a slower DataLoader."""

    fused = None

    def build(self, load):
        import torch
        from torch import nn

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        torch.manual_seed(0)
        self.torch, self.batch = torch, load.batch
        self.x, self.y = map(torch.from_numpy, load.data())
        parts = []
        for i, (inputs, units) in enumerate(pairwise(load.sizes), 1):
            parts.append(nn.Linear(inputs, units))
            if i < len(load.sizes) - 1:
                parts.append(nn.ReLU() if load.activation == "relu" else nn.Sigmoid())
            if i in load.dropped:
                parts.append(nn.Dropout(load.dropout))
        self.model = nn.Sequential(*parts)
        with torch.no_grad():
            for parameter, values in zip(self.model.parameters(), load.weights(), strict=True):
                parameter.copy_(torch.from_numpy(values.T))
        parameters = self.model.parameters()
        if load.optimizer == "adam":
            self.optimizer = torch.optim.Adam(parameters, load.rate, eps=EPSILON, fused=self.fused)
        else:
            self.optimizer = torch.optim.SGD(parameters, load.rate, load.momentum, fused=self.fused)
        self.loss = nn.CrossEntropyLoss() if load.loss == "crossentropy" else nn.MSELoss()
        self.forward = self.mean_loss

    def mean_loss(self, rows):
        return self.loss(self.model(self.x.index_select(0, rows)), self.y.index_select(0, rows))

    def run(self, steps):
        total = self.torch.zeros(())
        for rows in self.torch.randperm(steps * self.batch).view(steps, self.batch):
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.forward(rows)
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        return total.item() / steps

    def scores(self, x):
        with self.torch.inference_mode():
            return self.model(self.torch.from_numpy(x)).numpy()

    def inference(self, load):
        self.build(load.network)
        model = self.torch.nn.Sequential(self.model, self.torch.nn.Softmax(1)).eval()
        self.mode = self.torch.inference_mode()
        self.mode.__enter__()  # for good: entering it for each call takes a part of a call of one row
        return lambda: model(self.x)


class Fused(Torch):
    """The same with the optimizers' ``fused=True``."""

    fused = True

    def inference(self, load):
        raise NotImplementedError("the optimizer makes no difference to inference")


class Compiled(Fused):
    """Gather, network, loss and their gradient from ``torch.compile`` in its default mode; the fused optimizer."""

    def build(self, load):
        super().build(load)
        self.forward = self.compiled(self.mean_loss, self.torch.arange(load.batch))

    def inference(self, load):
        Fused.build(self, load.network)
        model = self.torch.nn.Sequential(self.model, self.torch.nn.Softmax(1)).eval()
        self.mode = self.torch.inference_mode()
        self.mode.__enter__()
        model = self.compiled(model, self.x)
        return lambda: model(self.x)

    def compiled(self, function, example):
        function = self.torch.compile(function)
        try:
            function(example)  # compiles now
        except Exception as error:  # of many kinds: no compiler, no headers, a version of Python that is too new
            raise NotImplementedError(f"torch.compile: {str(error).strip().splitlines()[0]}") from error
        return function
