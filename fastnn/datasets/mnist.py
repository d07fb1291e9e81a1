"""MNIST: 70,000 images of handwritten digits."""

import numpy as np

from fastnn.datasets._files import load_idx

# name: shape, SHA-256 of the uncompressed file
FILES = {
    "train-images-idx3-ubyte": ((60000, 28, 28), "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": ((60000,), "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": ((10000, 28, 28), "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": ((10000,), "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the images and labels of MNIST.

    The four IDX files, gzipped or not, are looked for in the folder named by the environment variable
    ``FASTNN_DATA_DIR`` and its sub-folder ``mnist``, then in the user's cache folder
    (``~/.cache/fastnn`` on Linux); else they are downloaded into the cache, for which
    ``pip install fastnn[datasets]`` is needed. The content is checked by SHA-256 wherever it comes from.

    Returns
    -------
    x_train, y_train : (uint8 array (60000, 28, 28), uint8 array (60000,))
        Images (0 is background, 255 is ink) and their digits, 0 to 9.
    x_test, y_test : (uint8 array (10000, 28, 28), uint8 array (10000,))
        The arrays are new ones on every call.

    Raises
    ------
    DataNotFoundError
        A file is neither in a folder nor could it be downloaded.
    ValueError
        A file is not an IDX file, is damaged, or is not that of MNIST.

    References
    ----------
    LeCun, Y., Bottou, L., Bengio, Y. and Haffner, P. (1998). Gradient-based learning applied to document
    recognition. Proceedings of the IEEE 86(11):2278-2324.

    Examples
    --------
    >>> from fastnn.datasets import mnist
    >>> (x_train, y_train), (x_test, y_test) = mnist.load_data()  # doctest: +SKIP
    >>> x_train.shape, y_train[:3]                                # doctest: +SKIP
    ((60000, 28, 28), array([5, 0, 4], dtype=uint8))
    """
    x_train, y_train, x_test, y_test = (
        load_idx("mnist", name, shape, sha256, MIRRORS) for name, (shape, sha256) in FILES.items()
    )
    return (x_train, y_train), (x_test, y_test)
