"""Programs as they were published for Keras 1, 2 and 3 (on small or drawn data), each with its twin in fastnn."""

import numpy as np

import fastnn
from fastnn import config, layers, losses, optimizers, regularizers, schedules

# Of the documentation of Keras 1: the guide to the Sequential model
KERAS1_README = """
import numpy as np
from keras.models import Sequential
from keras.layers import Dense, Activation

model = Sequential()
model.add(Dense(output_dim=64, input_dim=20, init="uniform"))
model.add(Activation("relu"))
model.add(Dense(output_dim=10))
model.add(Activation("softmax"))

model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])

from keras.optimizers import SGD
model.compile(loss='categorical_crossentropy', optimizer=SGD(lr=0.01, momentum=0.9, nesterov=True))

X_train, Y_train = np.random.random((100, 20)), np.eye(10)[np.random.randint(10, size=100)]
history = model.fit(X_train, Y_train, nb_epoch=5, batch_size=32)
model.train_on_batch(X_train[:32], Y_train[:32])
scores = [model.evaluate(X_train, Y_train, batch_size=32)]
classes = model.predict(X_train, batch_size=32)
"""


def keras1_readme():
    model = fastnn.Sequential(
        [
            layers.Dense(64, input_shape=(20,), kernel_initializer="uniform"),
            layers.Activation("relu"),
            layers.Dense(10),
            layers.Activation("softmax"),
        ]
    )
    model.compile(optimizers.SGD(0.01, momentum=0.9, nesterov=True), "categorical_crossentropy")
    x, y = np.random.random((100, 20)), np.eye(10)[np.random.randint(10, size=100)]
    history = model.fit(x, y, epochs=5, batch_size=32, verbose=0)
    model.train_on_batch(x[:32], y[:32])
    return model, history, [model.evaluate(x, y, verbose=0)]


# "Multilayer Perceptron (MLP) for multi-class softmax classification", of the same guide
KERAS1_SOFTMAX = """
from keras.models import Sequential
from keras.layers import Dense, Dropout, Activation
from keras.optimizers import SGD
import numpy as np
from keras.utils.np_utils import to_categorical

X_train = np.random.random((300, 20))
y_train = to_categorical(np.random.randint(10, size=(300, 1)), nb_classes=10)

model = Sequential()
# Dense(64) is a fully-connected layer with 64 hidden units.
model.add(Dense(64, input_dim=20, init='uniform'))
model.add(Activation('tanh'))
model.add(Dropout(0.5))
model.add(Dense(64, init='uniform'))
model.add(Activation('tanh'))
model.add(Dropout(p=0.5))
model.add(Dense(10, init='uniform'))
model.add(Activation('softmax'))

sgd = SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss='categorical_crossentropy',
              optimizer=sgd,
              metrics=['accuracy'])

history = model.fit(X_train, y_train, nb_epoch=20, batch_size=16)
scores = model.evaluate(X_train, y_train, batch_size=16)
"""


def keras1_softmax():
    x, y = np.random.random((300, 20)), np.eye(10)[np.random.randint(10, size=(300, 1))[:, 0]]
    model = fastnn.Sequential(
        [
            layers.Dense(64, activation="tanh", kernel_initializer="uniform", input_shape=(20,)),
            layers.Dropout(0.5),
            layers.Dense(64, activation="tanh", kernel_initializer="uniform"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax", kernel_initializer="uniform"),
        ]
    )
    rate = schedules.InverseTimeDecay(0.1, 1, 1e-6)
    model.compile(optimizers.SGD(rate, momentum=0.9, nesterov=True), "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=20, batch_size=16, verbose=0)
    return model, history, model.evaluate(x, y, batch_size=16, verbose=0)


# examples/mnist_mlp.py of Keras 1
KERAS1_MNIST = """
'''Trains a simple deep NN on the MNIST dataset.'''

from __future__ import print_function
import numpy as np
np.random.seed(1337)  # for reproducibility

from keras.datasets import mnist
from keras.models import Sequential
from keras.layers.core import Dense, Dropout, Activation
from keras.optimizers import SGD, Adam, RMSprop
from keras.utils import np_utils

batch_size = 128
nb_classes = 10
nb_epoch = 2

# the data, shuffled and split between train and test sets
(X_train, y_train), (X_test, y_test) = mnist.load_data()

X_train = X_train.reshape(len(X_train), 784)
X_test = X_test.reshape(len(X_test), 784)
X_train = X_train.astype('float32')
X_test = X_test.astype('float32')
X_train /= 255
X_test /= 255
print(X_train.shape[0], 'train samples')

# convert class vectors to binary class matrices
Y_train = np_utils.to_categorical(y_train, nb_classes)
Y_test = np_utils.to_categorical(y_test, nb_classes)

model = Sequential()
model.add(Dense(512, input_shape=(784,)))
model.add(Activation('relu'))
model.add(Dropout(0.2))
model.add(Dense(512))
model.add(Activation('relu'))
model.add(Dropout(0.2))
model.add(Dense(10))
model.add(Activation('softmax'))

model.summary()

model.compile(loss='categorical_crossentropy',
              optimizer=RMSprop(),
              metrics=['accuracy'])

history = model.fit(X_train, Y_train,
                    batch_size=batch_size, nb_epoch=nb_epoch,
                    verbose=1, validation_data=(X_test, Y_test))
scores = score = model.evaluate(X_test, Y_test, verbose=0)
print('Test score:', score[0])
print('Test accuracy:', score[1])
"""

# examples/mnist_mlp.py of Keras 2
KERAS2_MNIST = """
'''Trains a simple deep NN on the MNIST dataset.'''

from __future__ import print_function

import keras
from keras.datasets import mnist
from keras.models import Sequential
from keras.layers import Dense, Dropout
from keras.optimizers import RMSprop

batch_size = 128
num_classes = 10
epochs = 2

# the data, split between train and test sets
(x_train, y_train), (x_test, y_test) = mnist.load_data()

x_train = x_train.reshape(len(x_train), 784)
x_test = x_test.reshape(len(x_test), 784)
x_train = x_train.astype('float32')
x_test = x_test.astype('float32')
x_train /= 255
x_test /= 255

# convert class vectors to binary class matrices
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)

model = Sequential()
model.add(Dense(512, activation='relu', input_shape=(784,)))
model.add(Dropout(0.2))
model.add(Dense(512, activation='relu'))
model.add(Dropout(0.2))
model.add(Dense(num_classes, activation='softmax'))

model.summary()

model.compile(loss='categorical_crossentropy',
              optimizer=RMSprop(),
              metrics=['accuracy'])

history = model.fit(x_train, y_train,
                    batch_size=batch_size,
                    epochs=epochs,
                    verbose=1,
                    validation_data=(x_test, y_test))
scores = score = model.evaluate(x_test, y_test, verbose=0)
print('Test loss:', score[0])
print('Test accuracy:', score[1])
"""

# The same network as Keras 3 writes it
KERAS3_MNIST = """
import keras
from keras import layers

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255
y_train = keras.utils.to_categorical(y_train, 10)
y_test = keras.utils.to_categorical(y_test, 10)

model = keras.Sequential(
    [
        keras.Input(shape=(784,)),
        layers.Dense(512, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(512, activation=keras.activations.relu),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    loss=keras.losses.CategoricalCrossentropy(),
    optimizer=keras.optimizers.RMSprop(),
    metrics=["accuracy"],
)
history = model.fit(x_train, y_train, batch_size=128, epochs=2, validation_data=(x_test, y_test))
scores = model.evaluate(x_test, y_test, verbose=0)
"""


def small_mnist():
    """Some images with the shapes of MNIST."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 700).astype(np.uint8)
    x = (rng.integers(0, 256, (10, 28, 28))[y] // 2 + rng.integers(0, 128, (700, 28, 28))).astype(np.uint8)
    return (x[:600], y[:600]), (x[600:], y[600:])


def mnist_mlp():
    (x_train, y_train), (x_test, y_test) = small_mnist()
    x_train, x_test = (x.reshape(-1, 784).astype(np.float32) / np.float32(255) for x in (x_train, x_test))
    y_train, y_test = np.eye(10)[y_train], np.eye(10)[y_test]
    model = fastnn.Sequential(
        [
            layers.Dense(512, "relu", input_shape=(784,)),
            layers.Dropout(0.2),
            layers.Dense(512, "relu"),
            layers.Dropout(0.2),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile(optimizers.RMSprop(), "categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, 128, 2, verbose=0, validation_data=(x_test, y_test))
    return model, history, model.evaluate(x_test, y_test, verbose=0)


# TensorFlow 2's quickstart for beginners, in its first form
TENSORFLOW2_QUICKSTART = """
from __future__ import absolute_import, division, print_function, unicode_literals

import tensorflow as tf

mnist = tf.keras.datasets.mnist

(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train, x_test = x_train / 255.0, x_test / 255.0

tf.random.set_seed(3)
model = tf.keras.models.Sequential([
  tf.keras.layers.Flatten(input_shape=(28, 28)),
  tf.keras.layers.Dense(128, activation='relu'),
  tf.keras.layers.Dropout(0.2),
  tf.keras.layers.Dense(10, activation='softmax')
])

model.compile(optimizer='adam',
              loss='sparse_categorical_crossentropy',
              metrics=['accuracy'])

history = model.fit(x_train, y_train, epochs=2)

scores = model.evaluate(x_test,  y_test, verbose=2)
"""


def tensorflow2_quickstart():
    (x_train, y_train), (x_test, y_test) = small_mnist()
    fastnn.set_random_seed(3)
    model = fastnn.Sequential(
        [
            layers.Flatten(input_shape=(28, 28)),
            layers.Dense(128, "relu"),
            layers.Dropout(0.2),
            layers.Dense(10, "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train / 255.0, y_train, epochs=2, verbose=0)
    return model, history, model.evaluate(x_test / 255.0, y_test, verbose=0)


# The Pima Indians tutorial, "Your first neural network in Python with Keras", with drawn data
PIMA_DATA = """
import io
import numpy
rng = numpy.random.RandomState(5)
table = numpy.round(numpy.abs(rng.standard_normal((120, 9))) * 50, 3)
table[:, 8] = table[:, 0] + table[:, 3] > 80
file = io.StringIO()
numpy.savetxt(file, table, delimiter=",")
file.seek(0)
"""
PIMA_KERAS1 = (
    PIMA_DATA
    + """
# Create first network with Keras
from keras.models import Sequential
from keras.layers import Dense
# fix random seed for reproducibility
seed = 7
numpy.random.seed(seed)
# load pima indians dataset
dataset = numpy.loadtxt(file, delimiter=",")
# split into input (X) and output (Y) variables
X = dataset[:,0:8]
Y = dataset[:,8]
# create model
model = Sequential()
model.add(Dense(12, input_dim=8, init='uniform', activation='relu'))
model.add(Dense(8, init='uniform', activation='relu'))
model.add(Dense(1, init='uniform', activation='sigmoid'))
# Compile model
model.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])
# Fit the model
history = model.fit(X, Y, nb_epoch=15, batch_size=10)
# evaluate the model
scores = model.evaluate(X, Y)
print("%s: %.2f%%" % (model.loss.name, scores[1]*100))
"""
)
PIMA_KERAS2 = (
    PIMA_DATA
    + """
# first neural network with keras tutorial
from numpy import loadtxt
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Dense
from tensorflow.keras.initializers import RandomUniform
from tensorflow.keras.optimizers import Adam
dataset = loadtxt(file, delimiter=',')
X = dataset[:,0:8]
y = dataset[:,8]
model = Sequential()
model.add(Dense(12, input_shape=(8,), kernel_initializer=RandomUniform(), activation='relu'))
model.add(Dense(8, kernel_initializer='random_uniform', activation='relu'))
model.add(Dense(1, kernel_initializer='uniform', activation='sigmoid'))
model.compile(loss='binary_crossentropy', optimizer=Adam(lr=0.001), metrics=['accuracy'])
history = model.fit(X, y, epochs=15, batch_size=10, verbose=0)
loss, accuracy = scores = model.evaluate(X, y)
print('Accuracy: %.2f' % (accuracy*100))
predictions = (model.predict(X) > 0.5).astype(int)
for i in range(5):
    print('%s => %d (expected %d)' % (X[i].tolist(), predictions[i].item(), y[i]))
"""
)


def pima():
    rng = np.random.RandomState(5)
    x = np.round(np.abs(rng.standard_normal((120, 9))) * 50, 3)[:, :8]
    y = (x[:, 0] + x[:, 3] > 80).astype(float)
    model = fastnn.Sequential(
        [
            layers.Dense(12, "relu", kernel_initializer="random_uniform", input_shape=(8,)),
            layers.Dense(8, "relu", kernel_initializer="random_uniform"),
            layers.Dense(1, "sigmoid", kernel_initializer="random_uniform"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=10, epochs=15, verbose=0)
    return model, history, model.evaluate(x, y, verbose=0)


# The iris tutorial, "Multi-class classification tutorial with Keras", without scikit-learn
IRIS = """
import numpy
from keras.models import Sequential
from keras.layers import Dense
from keras.utils import np_utils

rng = numpy.random.RandomState(2)
Y = numpy.repeat(["Iris-setosa", "Iris-versicolor", "Iris-virginica"], 50)
# encode class values as integers
encoded_Y = numpy.unique(Y, return_inverse=True)[1]
X = rng.normal(numpy.array([[5, 3, 1, 0], [6, 3, 4, 1], [7, 3, 6, 2]])[encoded_Y], 0.4).astype(float)
# convert integers to dummy variables (i.e. one hot encoded)
dummy_y = np_utils.to_categorical(encoded_Y)

# define baseline model
def baseline_model():
    model = Sequential()
    model.add(Dense(4, input_dim=4, init='normal', activation='relu'))
    model.add(Dense(3, init='normal', activation='sigmoid'))
    model.compile(loss='categorical_crossentropy', optimizer='adam', metrics=['acc'])
    return model

model = baseline_model()
history = model.fit(X, dummy_y, nb_epoch=20, batch_size=5, verbose=0, validation_split=0.33)
scores = [history.history['acc'][-1], history.history['val_acc'][-1]]
"""


def iris():
    rng = np.random.RandomState(2)
    y = np.repeat(np.arange(3), 50)
    x = rng.normal(np.array([[5, 3, 1, 0], [6, 3, 4, 1], [7, 3, 6, 2]])[y], 0.4)
    model = fastnn.Sequential(
        [
            layers.Dense(4, "relu", kernel_initializer="random_normal", input_shape=(4,)),
            layers.Dense(3, "sigmoid", kernel_initializer="random_normal"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["acc"])
    history = model.fit(x, np.eye(3)[y], epochs=20, batch_size=5, verbose=0, validation_split=0.33)
    return model, history, [history.history["acc"][-1], history.history["val_acc"][-1]]


# House prices with K-fold validation, as in "Deep Learning with Python" (Chollet 2017), on drawn data
HOUSING = """
import numpy as np
from keras import models
from keras import layers
from keras import backend as K

rng = np.random.RandomState(1)
train_data = rng.rand(80, 13) * 100
train_targets = train_data @ rng.rand(13) / 20
mean = train_data.mean(axis=0)
train_data -= mean
std = train_data.std(axis=0)
train_data /= std

def build_model():
    # Because we will need to instantiate the same model multiple times, we use a function to construct it.
    model = models.Sequential()
    model.add(layers.Dense(64, activation='relu', input_shape=(train_data.shape[1],)))
    model.add(layers.Dense(64, activation='relu'))
    model.add(layers.Dense(1))
    model.compile(optimizer='rmsprop', loss='mse', metrics=['mae'])
    return model

k = 4
num_val_samples = len(train_data) // k
num_epochs = 5
all_scores = []
K.clear_session()
for i in range(k):
    print('processing fold #', i)
    val_data = train_data[i * num_val_samples: (i + 1) * num_val_samples]
    val_targets = train_targets[i * num_val_samples: (i + 1) * num_val_samples]
    partial_train_data = np.concatenate(
        [train_data[:i * num_val_samples], train_data[(i + 1) * num_val_samples:]], axis=0)
    partial_train_targets = np.concatenate(
        [train_targets[:i * num_val_samples], train_targets[(i + 1) * num_val_samples:]], axis=0)
    model = build_model()
    history = model.fit(partial_train_data, partial_train_targets,
                        validation_data=(val_data, val_targets),
                        epochs=num_epochs, batch_size=1, verbose=0)
    val_mse, val_mae = model.evaluate(val_data, val_targets, verbose=0)
    all_scores.append(val_mae)
scores = all_scores
"""


def housing():
    rng = np.random.RandomState(1)
    x = rng.rand(80, 13) * 100
    y = x @ rng.rand(13) / 20
    x -= x.mean(axis=0)
    x /= x.std(axis=0)
    scores = []
    for fold in range(4):
        inside = np.arange(80) // 20 == fold
        model = fastnn.Sequential(
            [layers.Dense(64, "relu", input_shape=(13,)), layers.Dense(64, "relu"), layers.Dense(1)]
        )
        model.compile("rmsprop", "mse", metrics=["mae"])
        validation = x[inside], y[inside]
        history = model.fit(x[~inside], y[~inside], 1, 5, verbose=0, validation_data=validation)
        scores.append(model.evaluate(*validation, verbose=0)[1])
    return model, history, scores


# Regularizers, callbacks and a loss of one's own, as programs for tf.keras write them
TF_KERAS = """
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers, regularizers
from tensorflow.keras import backend as K
from tensorflow.keras.callbacks import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau
from tensorflow.python.keras.layers import Dropout

print(tf.__version__, keras.__version__)
tf.keras.utils.set_random_seed(11)

def root_mean_squared_error(y_true, y_pred):
    return K.sqrt(K.mean(K.square(y_pred - y_true), axis=-1) + K.epsilon())

x = np.random.rand(200, 6)
y = np.sin(x.sum(axis=1))
model = keras.Sequential([
    layers.Dense(32, activation='elu', kernel_regularizer=regularizers.l2(0.001), batch_input_shape=(None, 6)),
    Dropout(rate=0.1),
    layers.Dense(32, activation=tf.keras.activations.tanh, kernel_initializer=keras.initializers.he_normal()),
    layers.Dense(1)])
schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, decay_steps=20, decay_rate=0.9, staircase=True)
model.compile(optimizer=tf.keras.optimizers.Adam(schedule), loss=root_mean_squared_error,
              metrics=[tf.keras.metrics.MeanSquaredError(name='mse'), 'mae'])
history = model.fit(x, y, epochs=4, validation_split=0.2, callbacks=[EarlyStopping(monitor='val_mse', patience=2)])
model.compile(optimizer=keras.optimizers.legacy.SGD(lr=0.01), loss=tf.keras.losses.mse)
model.fit(x, y, epochs=2, callbacks=[LearningRateScheduler(lambda epoch: 0.02 / (1 + epoch))])
scores = [model.evaluate(x, y), model.optimizer.lr]
"""


def tf_keras():
    fastnn.set_random_seed(11)
    x = np.random.rand(200, 6)
    y = np.sin(x.sum(axis=1))
    model = fastnn.Sequential(
        [
            layers.Dense(32, "elu", kernel_regularizer=regularizers.L2(0.001), input_shape=(6,)),
            layers.Dropout(0.1),
            layers.Dense(32, "tanh", kernel_initializer="he_normal"),
            layers.Dense(1),
        ]
    )

    def root_mean_squared_error(y_true, y_pred):
        return fastnn.ops.sqrt(fastnn.ops.mean(fastnn.ops.square(y_pred - y_true), axis=-1) + 1e-7)

    rate = schedules.ExponentialDecay(1e-2, 20, 0.9, staircase=True)
    model.compile(optimizers.Adam(rate), root_mean_squared_error, metrics=["mse", "mae"])
    stop = fastnn.callbacks.EarlyStopping("val_mse", patience=2)
    history = model.fit(x, y, epochs=4, validation_split=0.2, callbacks=stop, verbose=0)
    model.compile(optimizers.SGD(0.01), "mse")
    follow = fastnn.callbacks.LearningRateScheduler(lambda epoch: 0.02 / (1 + epoch))
    model.fit(x, y, epochs=2, callbacks=follow, verbose=0)
    return model, history, [model.evaluate(x, y, verbose=0), model.optimizer.learning_rate]


# A run that diverges goes on, as it does in Keras
DIVERGING = """
import numpy as np
import keras
from keras.layers import Dense

x, y = np.random.rand(64, 3), np.random.rand(64, 1)
model = keras.Sequential([keras.Input((3,)), Dense(8), Dense(1)])
model.compile(keras.optimizers.SGD(learning_rate=1e6), keras.losses.MeanSquaredError())
history = model.fit(x, y, epochs=10)
scores = [model.train_on_batch(x, y), model.optimizer.iterations]
"""


def diverging():
    x, y = np.random.rand(64, 3), np.random.rand(64, 1)
    model = fastnn.Sequential([layers.Input((3,)), layers.Dense(8), layers.Dense(1)])
    model.compile(optimizers.SGD(1e6), losses.MeanSquaredError())
    history = model.fit(x, y, epochs=10, verbose=0, on_nonfinite="ignore")
    config.set_on_nonfinite("ignore")
    try:
        return model, history, [model.train_on_batch(x, y), model.optimizer.iterations]
    finally:
        config.set_on_nonfinite("raise")


# A layer, a metric and an optimizer of one's own under Keras' names
OWN_CLASSES = """
import numpy as np
import keras
from keras import ops
from keras.engine.topology import Layer

class Scaled(Layer):
    def __init__(self, rate, p=2.0, **kwargs):  # names that the table of old spellings has, too
        self.rate, self.p = rate, p
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1],), initializer='ones', name='w')

    def call(self, x):
        return ops.multiply(ops.maximum(x, 0.0), self.w) * (self.rate * self.p)

class Quiet(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        seen.append(epoch)

seen = []
x = np.random.rand(50, 4)
model = keras.models.Sequential()
model.add(keras.layers.Dense(5, input_dim=4, W_regularizer='l2', b_regularizer=keras.regularizers.l1(0.1)))
model.add(Scaled(0.5, p=3.0))
model.add(keras.layers.Dense(1))
model.compile('sgd', loss=keras.objectives.mean_squared_error)
history = model.fit(x, x[:, :1], nb_epoch=3, callbacks=[Quiet()])
scores = seen
"""


class Scaled(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight(input_shape[1:], "ones", name="w")

    def call(self, x):
        return fastnn.ops.maximum(x, 0.0) * self.w * 1.5


def own_classes():
    x = np.random.rand(50, 4)
    hidden = layers.Dense(5, kernel_regularizer="l2", bias_regularizer=regularizers.L1(0.1), input_shape=(4,))
    model = fastnn.Sequential([hidden, Scaled(), layers.Dense(1)])
    model.compile("sgd", losses.mean_squared_error)
    return model, model.fit(x, x[:, :1], epochs=3, verbose=0), [0, 1, 2]


# "A densely-connected network", of the guide to the functional API of Keras 1
KERAS1_FUNCTIONAL = """
from keras.layers import Input, Dense
from keras.models import Model
import numpy as np

data, labels = np.random.random((100, 784)), np.eye(10)[np.random.randint(10, size=100)]

# this returns a tensor
inputs = Input(shape=(784,))

# a layer instance is callable on a tensor, and returns a tensor
x = Dense(64, activation='relu')(inputs)
x = Dense(64, activation='relu')(x)
predictions = Dense(10, activation='softmax')(x)

# this creates a model that includes the Input layer and three Dense layers
model = Model(input=inputs, output=predictions)
model.compile(optimizer='rmsprop', loss='categorical_crossentropy', metrics=['accuracy'])
history = model.fit(data, labels, nb_epoch=2)  # starts training
scores = model.evaluate(data, labels)
"""


def keras1_functional():
    x, y = np.random.random((100, 784)), np.eye(10)[np.random.randint(10, size=100)]
    inputs = hidden = fastnn.Input((784,))
    for _ in range(2):
        hidden = layers.Dense(64, "relu")(hidden)
    model = fastnn.Model(inputs, layers.Dense(10, "softmax")(hidden))
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    return model, model.fit(x, y, epochs=2, verbose=0), model.evaluate(x, y, verbose=0)


# "Multi-input and multi-output models", of the same guide for Keras 2, with dense layers for the recurrent one
KERAS2_FUNCTIONAL = """
import keras
from keras.layers import Input, Dense, BatchNormalization
from keras.layers.advanced_activations import LeakyReLU
from keras.models import Model
import numpy as np

headline_data, additional_data = np.random.rand(60, 30), np.random.rand(60, 5)
labels = np.random.randint(2, size=(60, 1))

main_input = Input(shape=(30,), dtype='float32', name='main_input')
x = Dense(32)(main_input)
x = BatchNormalization()(x)
lstm_out = LeakyReLU(alpha=0.2)(x)
auxiliary_output = Dense(1, activation='sigmoid', name='aux_output')(lstm_out)
auxiliary_input = Input(shape=(5,), name='aux_input')
x = keras.layers.concatenate([lstm_out, auxiliary_input])

# We stack a deep densely-connected network on top
x = Dense(64, activation='relu')(x)
x = Dense(64, activation='relu')(x)
main_output = Dense(1, activation='sigmoid', name='main_output')(x)

model = Model(inputs=[main_input, auxiliary_input], outputs=[main_output, auxiliary_output])
model.compile(optimizer='rmsprop',
              loss={'main_output': 'binary_crossentropy', 'aux_output': 'binary_crossentropy'},
              loss_weights={'main_output': 1., 'aux_output': 0.2})
history = model.fit({'main_input': headline_data, 'aux_input': additional_data},
                    {'main_output': labels, 'aux_output': labels},
                    epochs=5, batch_size=32)
scores = model.evaluate([headline_data, additional_data], [labels, labels])
"""


def keras2_functional():
    x, extra = np.random.rand(60, 30), np.random.rand(60, 5)
    y = np.random.randint(2, size=(60, 1))
    inputs = [fastnn.Input((30,), name="main_input"), fastnn.Input((5,), name="aux_input")]
    first = layers.LeakyReLU(0.2)(layers.BatchNormalization()(layers.Dense(32)(inputs[0])))
    aside = layers.Dense(1, "sigmoid", name="aux_output")(first)
    deep = layers.Concatenate()([first, inputs[1]])
    for _ in range(2):
        deep = layers.Dense(64, "relu")(deep)
    model = fastnn.Model(inputs, [layers.Dense(1, "sigmoid", name="main_output")(deep), aside])
    model.compile("rmsprop", "binary_crossentropy", loss_weights=[1.0, 0.2])
    history = model.fit([x, extra], [y, y], epochs=5, batch_size=32, verbose=0)
    return model, history, model.evaluate([x, extra], [y, y], verbose=0)


# A subclass of Model and a generator of batches, as in the guides of TensorFlow 2
SUBCLASS = """
import tensorflow as tf
import numpy as np

class MyModel(tf.keras.Model):
    def __init__(self):
        super(MyModel, self).__init__()
        self.d1 = tf.keras.layers.Dense(16, activation='relu')
        self.dropout = tf.keras.layers.Dropout(0.25)
        self.d2 = tf.keras.layers.Dense(3)

    def call(self, inputs, training=False):
        x = self.d1(inputs)
        x = self.dropout(x, training=training)
        return self.d2(x)

class Batches(tf.keras.utils.Sequence):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return self.x[8 * i:8 * i + 8], self.y[8 * i:8 * i + 8]

x, y = np.random.rand(32, 6).astype('float32'), np.random.randint(3, size=32)
model = MyModel()
model.compile(optimizer='adam', loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              metrics=['accuracy'])
history = model.fit(Batches(x, y), epochs=2, shuffle=False)
scores = model.evaluate(x, y)
"""


def subclass():
    x, y = np.random.rand(32, 6).astype("float32"), np.random.randint(3, size=32)
    model = fastnn.Sequential([layers.Dense(16, "relu"), layers.Dropout(0.25), layers.Dense(3)])
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return model, history, model.evaluate(x, y, verbose=0)


# name: (the program, the same with fastnn, old spellings that it warns of)
PROGRAMS = {
    "keras 1, readme": (KERAS1_README, keras1_readme, "init lr nb_epoch output_dim"),
    "keras 1, softmax": (KERAS1_SOFTMAX, keras1_softmax, "decay init lr nb_classes nb_epoch p"),
    "keras 1, mnist": (KERAS1_MNIST, mnist_mlp, "nb_epoch"),
    "keras 2, mnist": (KERAS2_MNIST, mnist_mlp, ""),
    "keras 3, mnist": (KERAS3_MNIST, mnist_mlp, ""),
    "tensorflow 2": (TENSORFLOW2_QUICKSTART, tensorflow2_quickstart, ""),
    "keras 1, pima": (PIMA_KERAS1, pima, "init nb_epoch"),
    "keras 2, pima": (PIMA_KERAS2, pima, "lr"),
    "iris": (IRIS, iris, "init nb_epoch"),
    "housing": (HOUSING, housing, ""),
    "tf.keras": (TF_KERAS, tf_keras, "batch_input_shape lr"),
    "diverging": (DIVERGING, diverging, ""),
    "keras 1, functional": (KERAS1_FUNCTIONAL, keras1_functional, "input nb_epoch output"),
    "keras 2, functional": (KERAS2_FUNCTIONAL, keras2_functional, "alpha"),
    "subclass": (SUBCLASS, subclass, ""),
    "own classes": (OWN_CLASSES, own_classes, "W_regularizer b_regularizer nb_epoch"),
}
