"""The model that fastnn and Keras are given: one text, since their vocabulary is one."""

from workloads import EPSILON


def compiled(library, load):
    """The network of a workload, with its first weights, ready for ``fit``.

    Parameters
    ----------
    library : module
        ``fastnn`` or ``keras``.
    load : Workload
    """
    layers, losses, optimizers = library.layers, library.losses, library.optimizers
    model = library.Sequential([layers.Input((load.sizes[0],))])
    for i, units in enumerate(load.sizes[1:-1], 1):
        model.add(layers.Dense(units, activation=load.activation))
        if i in load.dropped:
            model.add(layers.Dropout(load.dropout))
    classes = load.loss == "crossentropy"
    model.add(layers.Dense(load.sizes[-1], activation="softmax" if classes else None))
    model.set_weights(load.weights())
    adam, sgd = optimizers.Adam(load.rate, epsilon=EPSILON), optimizers.SGD(load.rate, load.momentum)
    loss = losses.SparseCategoricalCrossentropy() if classes else losses.MeanSquaredError()
    model.compile(adam if load.optimizer == "adam" else sgd, loss)
    return model
