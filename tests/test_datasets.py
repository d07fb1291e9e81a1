"""Reading, checking, finding and downloading of data sets."""

import gzip
import hashlib
import os
import struct
import sys
import types
import warnings

import numpy as np
import pytest

from fastnn.datasets import DataNotFoundError, _files, concrete, mnist

SHAPES = {
    "train-images-idx3-ubyte": (5, 4, 3),
    "train-labels-idx1-ubyte": (5,),
    "t10k-images-idx3-ubyte": (2, 4, 3),
    "t10k-labels-idx1-ubyte": (2,),
}
FIRST = "train-images-idx3-ubyte"
REAL_DATA = os.environ.get("FASTNN_DATA_DIR")


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A small data set in the MNIST format: its arrays, with the table of files to match and no network."""
    rng = np.random.RandomState(0)
    arrays = {name: rng.randint(0, 256, shape).astype(np.uint8) for name, shape in SHAPES.items()}
    table = {name: (a.shape, hashlib.sha256(idx(a)).hexdigest()) for name, a in arrays.items()}
    monkeypatch.setattr(mnist, "FILES", table)
    monkeypatch.setenv("FASTNN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "pooch", None)  # so that importing it fails
    return arrays


def write(arrays, folder, spelling="{}.gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = idx(array)
        target = folder / spelling.format(name)
        target.write_bytes(gzip.compress(content) if target.suffix == ".gz" else content)


def check_loaded(arrays):
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    for got, expected in zip((x_train, y_train, x_test, y_test), arrays.values(), strict=True):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == np.uint8 and got.flags.c_contiguous and got.flags.writeable and got.flags.owndata


@pytest.mark.parametrize("spelling", ["{}", "{}.gz", "dotted", "dotted.gz"])
@pytest.mark.parametrize("place", ["data", "data/mnist", "cache", "cache/mnist"])
def test_finds_every_spelling_in_every_folder(tiny, tmp_path, monkeypatch, spelling, place):
    where, _, below = place.partition("/")
    folder = (tmp_path / "data" if where == "data" else _files.cache_folder()) / below
    if "dotted" in spelling:
        for name, array in tiny.items():
            write({name.replace("-idx", ".idx"): array}, folder, spelling.replace("dotted", "{}"))
    else:
        write(tiny, folder, spelling)
    check_loaded(tiny)


def test_own_subfolder_comes_before_the_folder(tiny, tmp_path):
    write(tiny, tmp_path / "data" / "mnist")
    write({name: array + 1 for name, array in tiny.items()}, tmp_path / "data")
    check_loaded(tiny)


def test_a_folder_with_the_name_of_the_file_is_passed_over(tiny, tmp_path):
    write(tiny, tmp_path / "data")
    (tmp_path / "data" / FIRST).mkdir()
    check_loaded(tiny)


def test_content_decides_whether_a_file_is_gzipped(tiny, tmp_path):
    write(tiny, tmp_path / "data", "{}")
    (tmp_path / "data" / FIRST).rename(tmp_path / "data" / f"{FIRST}.gz")
    check_loaded(tiny)


def with_sizes(content, *sizes):
    return content[:4] + struct.pack(f">{len(sizes)}I", *sizes) + content[4 + 4 * len(sizes) :]


def flip_last_byte(content):
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGES = {
    "empty": (lambda c: b"", "a file of 0 bytes"),
    "short header": (lambda c: c[:9], "a header of 3 axes"),
    "truncated": (lambda c: c[:-7], "53 bytes after the header; expected 60 bytes"),
    "one byte more": (lambda c: c + b"\0", "more than 60 bytes after the header; expected 60 bytes"),
    "not IDX": (lambda c: b"<html>" + c, "starting with the bytes 3c 68 74 6d"),
    "float IDX": (lambda c: b"\0\0\x0d\x03" + c[4:], "starting with the bytes 00 00 0d 03"),
    "other number of axes": (lambda c: b"\0\0\x08\x02" + c[4:], "a header of 2 axes"),
    "other sizes": (lambda c: with_sizes(c, 5, 3, 4), r"shape \(5, 3, 4\); expected .* shape \(5, 4, 3\)"),
    "huge sizes": (lambda c: with_sizes(c, *[2**32 - 1] * 3), "4294967295"),
    "other data": (flip_last_byte, "content with SHA-256 [0-9a-f]{64}; expected [0-9a-f]{64}"),
}


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["raw", "gzip"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_file_is_an_error_naming_the_file(tiny, tmp_path, damage, compress):
    write(tiny, tmp_path / "data", "{}")
    spoil, message = DAMAGES[damage]
    path = tmp_path / "data" / FIRST
    path.write_bytes(compress(spoil(path.read_bytes())))
    with pytest.raises(ValueError, match=message) as caught:
        mnist.load_data()
    assert str(caught.value).startswith(f"{path}: received ") and "; to fix it, " in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c[:5],
        lambda c: c[:-20],
        lambda c: c[:-1],
        flip_last_byte,
        lambda c: c + b"more",
        lambda c: c[:12] + b"\xff" * 8 + c[20:],
    ],
    ids=["in the header", "in the data", "in the CRC", "wrong length field", "garbage behind", "bad block"],
)
def test_damaged_gzip_is_an_error_naming_the_file(tiny, tmp_path, spoil):
    write(tiny, tmp_path / "data")
    path = tmp_path / "data" / f"{FIRST}.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match="a damaged gzip file") as caught:
        mnist.load_data()
    assert str(caught.value).startswith(f"{path}: received ")


def test_gzip_bomb_is_not_expanded(tiny, tmp_path):
    tracemalloc = pytest.importorskip("tracemalloc")
    write(tiny, tmp_path / "data")
    bomb = gzip.compress(idx(tiny[FIRST]) + bytes(1 << 26), compresslevel=1)
    (tmp_path / "data" / f"{FIRST}.gz").write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than 60 bytes"):
        mnist.load_data()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


def fake_pooch(monkeypatch, answer):
    """Install a pooch whose downloader calls `answer(url)` for the content; return the list of addresses."""
    asked = []

    class HTTPDownloader:
        def __init__(self, **kwargs):
            pass

        def __call__(self, url, output_file, pooch):
            asked.append(url)
            output_file.write(answer(url))

    module = types.ModuleType("pooch")
    module.HTTPDownloader = HTTPDownloader
    monkeypatch.setitem(sys.modules, "pooch", module)
    return asked


def test_missing_without_pooch(tiny, tmp_path, monkeypatch):
    with pytest.raises(DataNotFoundError, match=r"pip install fastnn\[datasets\]") as caught:
        mnist.load_data()
    assert str(tmp_path / "data" / "mnist") in str(caught.value)
    assert str(_files.cache_folder()) in str(caught.value)
    assert isinstance(caught.value, OSError)
    monkeypatch.delenv("FASTNN_DATA_DIR")
    with pytest.raises(DataNotFoundError, match="FASTNN_DATA_DIR is not set"):
        mnist.load_data()


def test_missing_without_network(tiny, monkeypatch):
    def refuse(url):
        raise ConnectionError("no route to host")

    asked = fake_pooch(monkeypatch, refuse)
    with pytest.raises(DataNotFoundError, match=r"no route to host.*connect to the network"):
        mnist.load_data()
    assert asked == [mirror + FIRST + ".gz" for mirror in mnist.MIRRORS]
    assert not _files.cache_folder().exists()


def test_missing_without_network_with_the_real_pooch(tiny, monkeypatch):
    monkeypatch.delitem(sys.modules, "pooch")
    pytest.importorskip("pooch")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def refuse(*args, **kwargs):
        raise OSError("network is unreachable")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    with pytest.raises(DataNotFoundError, match="no download from https://"):
        mnist.load_data()


def test_download_falls_back_to_the_next_mirror_and_is_kept(tiny, monkeypatch):
    def answer(url):  # the first mirror serves a page of text
        if url.startswith(mnist.MIRRORS[0]):
            return b"<html>please log in</html>"
        return gzip.compress(idx(tiny[url.rpartition("/")[2].removesuffix(".gz")]))

    asked = fake_pooch(monkeypatch, answer)
    check_loaded(tiny)
    assert len(asked) == 8
    kept = sorted(path.name for path in (_files.cache_folder() / "mnist").iterdir())
    assert kept == sorted(f"{name}.gz" for name in SHAPES)
    check_loaded(tiny)
    assert len(asked) == 8


def test_download_of_other_data_is_not_kept(tiny, monkeypatch):
    fake_pooch(monkeypatch, lambda url: gzip.compress(flip_last_byte(idx(tiny[FIRST]))))
    with pytest.raises(DataNotFoundError, match="SHA-256"):
        mnist.load_data()
    assert not _files.cache_folder().exists()


def test_download_works_with_a_cache_that_cannot_be_written(tiny, tmp_path, monkeypatch):
    (tmp_path / "cache").write_bytes(b"")  # a file where the folder would be
    fake_pooch(monkeypatch, lambda url: idx(tiny[url.rpartition("/")[2].removesuffix(".gz")]))
    with pytest.warns(UserWarning, match="could not be kept"):
        check_loaded(tiny)


def test_cache_folder_is_that_of_pooch(monkeypatch):
    pooch = pytest.importorskip("pooch")
    for value in (None, os.path.abspath("somewhere"), "relative"):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        if value and sys.platform.startswith("linux"):  # elsewhere it depends on the version of platformdirs
            monkeypatch.setenv("XDG_CACHE_HOME", value)
        if value != "relative":
            assert _files.cache_folder() == pooch.os_cache("fastnn")
        else:
            assert _files.cache_folder().is_absolute()


@pytest.mark.parametrize(
    ("platform", "end"),
    [
        ("linux", ".cache/fastnn"),
        ("darwin", "Library/Caches/fastnn"),
        ("win32", "fastnn/fastnn/Cache"),
    ],
)
def test_cache_folder_of_each_platform(monkeypatch, platform, end):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert _files.cache_folder().as_posix().endswith(end)


def test_real_mnist():
    if not REAL_DATA or _files.find("mnist", [FIRST, f"{FIRST}.gz"]) is None:
        pytest.skip("FASTNN_DATA_DIR holds no MNIST")
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    assert x_train.shape == (60000, 28, 28) and y_train.shape == (60000,)
    assert x_test.shape == (10000, 28, 28) and y_test.shape == (10000,)
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9] and y_test[:5].tolist() == [7, 2, 1, 0, 4]
    # the counts on LeCun's page; the usual mean and deviation of scaled pixels
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert round(x_train.mean() / 255, 4) == 0.1307 and round(x_train.std() / 255, 4) == 0.3081


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A made-up concrete.csv with the checksum to match; its numbers, (1030, 9)."""
    numbers = np.round(np.random.RandomState(1).uniform(0, 1000, (1030, 9)), 1)
    numbers[:, 0] = np.arange(1030)
    lines = [concrete.HEADER] + [",".join(map(str, row)) for row in numbers.tolist()]
    content = "\n".join(lines) + "\n"
    (tmp_path / "concrete.csv").write_bytes(content.encode())
    monkeypatch.setattr(concrete, "SHA256", hashlib.sha256(content.encode()).hexdigest())
    monkeypatch.setenv("FASTNN_DATA_DIR", str(tmp_path))
    return numbers


def test_concrete_is_split_and_shuffled_the_same_way_every_time(table):
    (x_train, y_train), (x_test, y_test) = concrete.load_data()
    assert x_train.shape == (824, 8) and y_train.shape == (824,)
    assert x_test.shape == (206, 8) and y_test.shape == (206,)
    for array in (x_train, y_train, x_test, y_test):
        assert array.dtype == np.float32 and array.flags.c_contiguous and array.flags.owndata
    order = np.arange(1030)
    np.random.RandomState(113).shuffle(order)  # as Keras' load_data functions do
    np.testing.assert_array_equal(np.concatenate([x_train, x_test]), table[order, :8].astype(np.float32))
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), table[order, 8].astype(np.float32))
    assert x_train[:4, 0].tolist() == order[:4].tolist() == [295, 935, 663, 258]  # fixed for ever
    assert concrete.load_data(seed=0)[0][0][0, 0] != x_train[0, 0]
    assert concrete.load_data(test_split=0)[1][0].shape == (0, 8)


def test_concrete_leaves_the_global_random_state_alone(table):
    before = np.random.get_state()[1].copy()
    concrete.load_data()
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.replace(b"\n", b"\r\n"),
        lambda c: b"\xef\xbb\xbf" + c,
        lambda c: c[:-1],
    ],
    ids=["CRLF", "byte order mark", "no last line end"],
)
def test_concrete_line_ends_do_not_count(table, tmp_path, change):
    expected = concrete.load_data()
    path = tmp_path / "concrete.csv"
    path.write_bytes(change(path.read_bytes()))
    np.testing.assert_array_equal(concrete.load_data()[0][0], expected[0][0])


def replace_line(number, line):
    return lambda c: b"\n".join(line if i == number - 1 else old for i, old in enumerate(c.split(b"\n")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: b"", "line 1: received an empty file; expected the header cement,"),
        (lambda c: b"a,b\n" + c, "line 1: received a,b; expected the header cement,"),
        (lambda c: c[: c.rindex(b"\n", 0, -1) + 1], "received 1029 rows after the header; expected 1030 rows"),
        (lambda c: c + b"1,2,3,4,5,6,7,8,9\n", "received 1031 rows after the header; expected 1030 rows"),
        (replace_line(3, b"1,2,3,4,5,6,7,8"), "line 3: received 8 columns; expected 9"),
        (replace_line(1031, b"1,2,3,4,5,6,7,8,9,10"), "line 1031: received 10 columns; expected 9"),
        (replace_line(5, b"1,2,3,wet,5,6,7,8,9"), "line 5, column water: received 'wet'; expected a finite"),
        (replace_line(5, b"1,2,3,4,5,6,7,8,nan"), "line 5, column strength: received 'nan'; expected a finite"),
        (replace_line(5, b"1,2,3,4,5,6,7,8,\xff"), "line 5, column strength: received '\ufffd'"),
        (replace_line(5, b"1,2,3,4,5,6,7,8,9"), "received text with SHA-256 [0-9a-f]{64}; expected [0-9a-f]{64}"),
        (lambda c: bytes(1 << 22), "line 1: received "),
    ],
)
def test_wrong_concrete_file_is_an_error_naming_file_and_line(table, tmp_path, change, message):
    path = tmp_path / "concrete.csv"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=message) as caught:
        concrete.load_data()
    assert str(caught.value).startswith(str(path)) and "; to fix it, " in str(caught.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {"test_split": 1.0},
        {"test_split": -0.1},
        {"test_split": float("nan")},
        {"test_split": "a"},
        {"seed": -1},
        {"seed": 2**32},
        {"seed": 1.5},
        {"seed": None},
    ],
)
def test_wrong_arguments_of_concrete(arguments):
    with pytest.raises(ValueError, match=f"^{next(iter(arguments))}: received .*; expected .*; to fix it, "):
        concrete.load_data(**arguments)


def test_missing_concrete_file(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    with pytest.raises(DataNotFoundError, match=r"Yeh 1998.*cement,slag,ash,water") as caught:
        concrete.load_data()
    assert str(tmp_path / "concrete") in str(caught.value)


def test_real_concrete():
    if not REAL_DATA or _files.find("concrete", ["concrete.csv"]) is None:
        pytest.skip("FASTNN_DATA_DIR holds no concrete.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (x_train, y_train), (x_test, y_test) = concrete.load_data()
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    assert x.shape == (1030, len(concrete.FEATURES))
    # means and extremes as in Yeh's tables: cement 102-540 kg, age 1-365 days, strength 2.33-82.60 MPa
    assert (x[:, 0].min(), x[:, 0].max()) == (102, 540) and (x[:, 7].min(), x[:, 7].max()) == (1, 365)
    np.testing.assert_allclose([y.min(), y.max(), y.mean()], [2.33, 82.60, 35.82], atol=0.005)
