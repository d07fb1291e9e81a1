"""The safetensors container: named arrays and a description, checked to the last bit.

The description is a JSON text in the container's own ``__metadata__`` that begins with the checksum of the rest; it has
type, shape and checksum of each array. So every change of a file shows, and it opens in every program that knows
safetensors.
"""

import json
import os
import re
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import invalid
from .files import write_whole

VERSION = 1
DESCRIPTION = "fastnn"  # key of the container's metadata
DTYPES = {"int64": "I64", "float64": "F64", "float32": "F32", "int32": "I32"}  # in the order of arrays in a file
MOST_NESTED = 100  # of lists and objects in a description
PIECE = 1 << 22  # bytes of an array that are read at a time


class FormatError(ValueError):
    """A file that is damaged, or is no file of this kind.

    Attributes
    ----------
    path : str
        The file.
    field : str
        What in it is wrong.
    reason : str
        What was found instead of what.
    """

    def __init__(self, message: str, path: str = "", field: str = "", reason: str = ""):
        super().__init__(message)
        self.path, self.field, self.reason = path, field, reason


def wrong(path: Any, field: str, received: object, expected: str, fix: str = "use an undamaged file") -> FormatError:
    """The error of a file that has something else than expected."""
    argument = f"{field} of {os.fspath(path)}"
    error = invalid(argument, received, expected, fix, FormatError)
    assert isinstance(error, FormatError)
    error.path, error.field = os.fspath(path), field
    error.reason = str(error).removeprefix(f"{argument}: ").partition("; to fix it")[0]
    return error


def checksum(array: np.ndarray) -> int:
    """CRC-32 of the bytes of an array, which any change of up to 32 bits in a row changes."""
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def write(path: Any, arrays: dict[str, np.ndarray], description: dict[str, Any]) -> None:
    """Write arrays and a description that JSON can express; see `write_whole` for what happens on errors."""
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    table = {name: [str(a.dtype), list(a.shape), checksum(a)] for name, a in arrays.items()}
    text = json.dumps({"version": VERSION, **description, "arrays": table}, allow_nan=False, separators=(",", ":"))
    strict_json(os.fspath(path), text)  # what could not be read is not written
    write_whole(path, contained(arrays, {DESCRIPTION: signed(text)}))


def contained(arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> list[bytes | memoryview]:
    """The parts of a container, as `safetensors.serialize` makes it: but that would join them, which takes as long as
    writing them.
    """
    order = list(DTYPES)
    names = sorted(arrays, key=lambda name: (order.index(str(arrays[name].dtype)), name))
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for name in names:
        array, begin = arrays[name], end
        end += array.nbytes
        header[name] = {"dtype": DTYPES[str(array.dtype)], "shape": array.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = [arrays[name].reshape(-1).view(np.uint8).data for name in names]
    return [len(text).to_bytes(8, "little") + text, *data]


def signed(text: str) -> str:
    """A JSON object with the checksum of its text as the first entry."""
    return f'{{"crc32":"{zlib.crc32(text.encode()):08x}",{text[1:]}'


class Reader:
    """An open file, its description checked and its arrays not yet read; inside a ``with`` block.

    Parameters
    ----------
    path : path

    Raises
    ------
    FormatError
        The file is damaged, or no file of fastnn.
    OSError
        It cannot be read.
    """

    def __init__(self, path: Any):
        import safetensors

        self.path = os.fspath(path)
        self.size = os.stat(path).st_size
        try:
            self._file = safetensors.safe_open(path, "numpy")
            self._file.__enter__()
        except safetensors.SafetensorError as error:
            raise wrong(path, "container", str(error), "safetensors") from None
        try:
            self.description = self._described(self._file.metadata())
            self.table: dict[str, list[Any]] = self.description.pop("arrays", None)
            self._check_table()
        except BaseException:
            self._file.__exit__(None, None, None)
            raise

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._file.__exit__(*(exception or (None, None, None)))

    def _described(self, metadata: dict[str, str] | None) -> dict[str, Any]:
        """The description, if there is one and its checksum is right."""
        if metadata is None or metadata.keys() != {DESCRIPTION}:
            fix = "pass what save() or save_weights() wrote"
            raise wrong(self.path, "metadata", f"keys {sorted(metadata or ())}", DESCRIPTION, fix)
        text = metadata[DESCRIPTION]
        if text != signed("{" + text[len(signed("{")) :]):
            raise wrong(self.path, "description", "another text", "the one that its checksum was made of")
        found = strict_json(self.path, text)
        if not isinstance(found, dict) or type(found.get("version")) is not int:
            raise wrong(self.path, "description", "no version", "a number")
        if found["version"] != VERSION:
            fix = "use a newer fastnn" if found["version"] > VERSION else "use an undamaged file"
            raise wrong(self.path, "version", str(found["version"]), f"{VERSION}", fix)
        return found

    def _check_table(self) -> None:
        """The arrays in the file are those of the description."""
        table = self.table
        names = sorted(self._file.keys())
        if not isinstance(table, dict) or sorted(table) != names:
            raise wrong(self.path, "arrays", f"{names}", "those of the description")
        for name, entry in table.items():
            given = self._file.get_slice(name)
            kind = next((k for k, code in DTYPES.items() if code == given.get_dtype()), given.get_dtype())
            if not isinstance(entry, list) or len(entry) != 3 or entry[:2] != [kind, given.get_shape()]:
                raise wrong(self.path, f"array {name!r}", f"{kind} of shape {given.get_shape()}", f"{entry}")
            if kind not in DTYPES:
                raise wrong(self.path, f"array {name!r}", kind, f"one of {', '.join(DTYPES)}")

    def pieces(self, name: str) -> Iterator[tuple[slice, np.ndarray]]:
        """An array part by part along its first axis, so that no copy of a large one is needed."""
        dtype, shape, _ = self.table[name]
        nbytes = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=object))
        if nbytes <= PIECE:
            yield slice(None), self._file.get_tensor(name)
            return
        rows = max(1, shape[0] * PIECE // nbytes)
        given = self._file.get_slice(name)
        for low in range(0, shape[0], rows):
            place = slice(low, min(low + rows, shape[0]))
            yield place, given[place]

    def check(self, names: list[str]) -> None:
        """Compare the arrays with their checksums."""
        for name in names:
            found = 0
            for _, piece in self.pieces(name):
                found = zlib.crc32(np.ascontiguousarray(piece).reshape(-1).view(np.uint8).data, found)
            if found != self.table[name][2]:
                raise wrong(
                    self.path, f"array {name!r}", "other values", f"ones with the checksum {self.table[name][2]}"
                )

    def read_into(self, name: str, array: np.ndarray) -> None:
        """Copy an array of the file into one of the same type and shape."""
        for place, piece in self.pieces(name):
            array[place if array.ndim else ()] = piece


class Held:
    """Arrays and a description that are in memory, read as those of a `Reader`."""

    path, size = "the copy", 1 << 62  # no limit for what is in memory already

    def __init__(self, arrays: dict[str, np.ndarray], description: dict[str, Any]):
        self.arrays, self.description = arrays, description
        self.table: dict[str, list[Any]] = {name: [str(a.dtype), list(a.shape), None] for name, a in arrays.items()}

    def read_into(self, name: str, array: np.ndarray) -> None:
        """Copy an array into one of the same type and shape."""
        array[...] = self.arrays[name]


def strict_json(path: str, text: str) -> Any:
    """What a JSON text says; without NaN, names given twice, and lists in lists in lists beyond reason."""
    depth = 0
    for mark in re.finditer(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[{]|[\]}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
        if depth > MOST_NESTED:
            raise wrong(path, "description", "lists in lists in lists", f"at most {MOST_NESTED} of them")

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name is given twice")
        return found

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise wrong(path, "description", str(error), "JSON") from None
