"""scikit-learn."""

import numpy as np
from workloads import EPSILON


class ScikitLearn:
    """`MLPClassifier` or `MLPRegressor`, an epoch per ``partial_fit``; it has no dropout."""

    def build(self, load):
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        if load.dropout:
            raise NotImplementedError("no dropout")
        self.batch, (self.x, self.y) = load.batch, load.data()
        self.mse = load.loss == "mse"
        self.y = self.y[:, 0] if self.y.shape[1:] == (1,) else self.y
        self.model = (MLPRegressor if self.mse else MLPClassifier)(
            hidden_layer_sizes=load.sizes[1:-1],
            activation="logistic" if load.activation == "sigmoid" else "relu",
            solver="adam" if load.optimizer == "adam" else "sgd",
            alpha=0,
            batch_size=load.batch,
            learning_rate_init=load.rate,
            epsilon=EPSILON,
            momentum=load.momentum,
            nesterovs_momentum=False,
            random_state=np.random.RandomState(0),
        )
        self.classes = {} if self.mse else {"classes": np.arange(load.sizes[-1])}
        self.run(1)  # makes the weights, which are replaced here, and the optimizer, which is made anew
        weights = load.weights()
        self.model.coefs_, self.model.intercepts_ = weights[::2], weights[1::2]
        del self.model._optimizer

    def run(self, steps):
        rows = steps * self.batch
        self.model.partial_fit(self.x[:rows], self.y[:rows], **self.classes)
        return float(self.model.loss_) * (2 if self.mse else 1)  # it reports half of the mean squared error

    def scores(self, x):
        return self.model.predict_proba(x)

    def inference(self, load):
        self.build(load.network)
        return lambda: self.model.predict_proba(self.x)
