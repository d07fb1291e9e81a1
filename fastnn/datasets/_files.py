"""Where the files of a data set are looked for, and how IDX files are read, checked and downloaded."""

import gzip
import hashlib
import io
import os
import struct
import sys
import tempfile
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fastnn.errors import invalid


class DataNotFoundError(OSError):
    """A data set is neither on this machine nor could it be downloaded; the message says what to do."""


def cache_folder() -> Path:
    """Return the user's cache folder of fastnn, the one ``pooch.os_cache("fastnn")`` names."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
        return Path(local, "fastnn", "fastnn", "Cache")
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(xdg):  # the XDG specification: a relative path is to be ignored
        xdg = os.path.expanduser("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    return Path(xdg, "fastnn")


def folders(dataset: str) -> list[Path]:
    """Return the folders a data set may be in, in the order of search.

    A folder's sub-folder `dataset` comes first: data sets in the MNIST format share their file names.
    """
    given = os.environ.get("FASTNN_DATA_DIR")
    roots = [Path(os.path.expanduser(given))] if given else []
    return [folder for root in [*roots, cache_folder()] for folder in (root / dataset, root)]


def find(dataset: str, names: Sequence[str]) -> Path | None:
    """Return the first file with one of these names, or None."""
    paths = (folder / name for folder in folders(dataset) for name in names)
    return next((path for path in paths if path.is_file()), None)


def not_found(dataset: str, name: str, fix: str, more: str = "") -> Exception:
    """Return the error for a file that is in none of the folders; `more` tells how the download went."""
    places = ", ".join(map(str, folders(dataset)))
    unset = "" if os.environ.get("FASTNN_DATA_DIR") else " (FASTNN_DATA_DIR is not set)"
    return invalid(
        f"data set {dataset}",
        f"no file {name} in {places}{unset}{more}",
        "the file in one of these folders",
        fix,
        error=DataNotFoundError,
    )


def load_idx(dataset: str, name: str, shape: tuple[int, ...], sha256: str, mirrors: Sequence[str]) -> np.ndarray:
    """Return the uint8 array of one IDX file, found on this machine or downloaded.

    Parameters
    ----------
    dataset : str
        Name of the sub-folder.
    name : str
        The file's usual name, such as ``train-images-idx3-ubyte``; with ``.gz`` and in the spelling
        ``train-images.idx3-ubyte`` it is found too.
    shape : tuple of int
        Shape the file must have.
    sha256 : str
        Checksum of the uncompressed file, so that it holds for every way of compressing it.
    mirrors : sequence of str
        Addresses, ending in a slash, of folders that have the file as ``<name>.gz``.
    """
    dotted = name.replace("-idx", ".idx")
    path = find(dataset, [name, dotted, name + ".gz", dotted + ".gz"])
    if path is None:
        return _download_idx(dataset, name, shape, sha256, mirrors)
    with path.open("rb") as stream:
        return read_idx(stream, str(path), shape, sha256)


def read_idx(stream: io.BufferedIOBase, source: str, shape: tuple[int, ...], sha256: str) -> np.ndarray:
    """Return the array of an IDX file, gzipped or not, after checking its header, length and checksum.

    The header must name `shape`, and one byte more than the array is read at most: neither a header
    nor a compressed file can make the reader allocate more than the caller expects.
    """
    # IDX: two zero bytes, type (8 is uint8), number of axes, then each size as big-endian uint32
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    fix = "replace the file by a complete copy, or remove it to have it looked for elsewhere"
    gzipped = stream.read(2) == b"\x1f\x8b"  # the content decides, whatever the file is called
    stream.seek(0)
    plain: io.BufferedIOBase = gzip.GzipFile(fileobj=stream) if gzipped else stream
    try:
        start = plain.read(len(header))
        if start != header:
            raise invalid(source, _describe_header(start), _describe_header(header), fix)
        array = np.empty(shape, np.uint8)
        count = plain.readinto(array.reshape(-1).data)
        more = plain.read(1)  # at the end of a gzip stream this also checks its CRC
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise invalid(source, f"a damaged gzip file ({error})", "a whole one", fix) from error
    if count != array.size or more:
        received = f"more than {array.size} bytes" if more else f"{count} bytes"
        raise invalid(source, f"{received} after the header", f"{array.size} bytes", fix)
    digest = hashlib.sha256(header)
    digest.update(array.reshape(-1).data)
    if digest.hexdigest() != sha256:
        raise invalid(
            source,
            f"content with SHA-256 {digest.hexdigest()}",
            sha256,
            "replace the file by the original; it is damaged, or belongs to another data set",
        )
    return array


def _describe_header(header: bytes) -> str:
    if len(header) < 4:
        return f"a file of {len(header)} bytes"
    if header[:3] != b"\0\0\x08":
        return f"a file starting with the bytes {header[:4].hex(' ')}"
    sizes = header[4:]
    if len(sizes) % 4 or len(sizes) // 4 != header[3]:  # cut short, or another number of axes
        return f"a header of {header[3]} axes (bytes {header.hex(' ')})"
    return f"IDX data of type uint8 and shape {struct.unpack(f'>{header[3]}I', sizes)}"


def _download_idx(dataset: str, name: str, shape: tuple[int, ...], sha256: str, mirrors: Sequence[str]) -> np.ndarray:
    fix = "put it there, or set the environment variable FASTNN_DATA_DIR to the folder that has it"
    try:
        import pooch
    except ImportError as error:
        raise not_found(
            dataset,
            f"{name}[.gz]",
            f"{fix}, or run `pip install fastnn[datasets]` to have it downloaded",
            more=", and pooch, which downloads it, is not installed",
        ) from error
    failures = []
    for url in (f"{mirror}{name}.gz" for mirror in mirrors):
        content = io.BytesIO()
        try:
            pooch.HTTPDownloader(chunk_size=1 << 16, timeout=30)(url, content, None)
            content.seek(0)
            array = read_idx(content, url, shape, sha256)
        except (OSError, ValueError) as error:  # no network, no such page, or not the file: the next mirror
            failures.append(f"{url} ({error})")
            continue
        _keep(content.getvalue(), cache_folder() / dataset / f"{name}.gz")
        return array
    raise not_found(
        dataset,
        f"{name}[.gz]",
        f"connect to the network, or {fix}",
        more=", and no download from " + ", ".join(failures),
    )


def _keep(content: bytes, path: Path) -> None:
    """Write a file so that another process sees all of it or nothing; a read-only cache is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder, path.name)
            part.write_bytes(content)
            part.replace(path)
    except OSError as error:
        warnings.warn(f"{path} could not be kept for the next time: {error}", stacklevel=2)
