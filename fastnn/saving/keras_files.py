"""Weights in the files that Keras 3 writes: ``.weights.h5``, and ``.keras``, a zip archive with one of them."""

import io
import os
import zipfile
import zlib
from typing import Any

import numpy as np

from ..errors import invalid
from ..layers.base import Layer
from ..models import Model
from ..models.functional import kind_of
from ..registry import snake_case
from ..variable import Variable
from .container import FormatError, wrong

MEMBER = "model.weights.h5"  # of the archive
ROOM = 16 << 20, 32  # bytes that the weights in an archive may have: these, and so many for each byte of the model's


DAMAGES = (zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, EOFError, RuntimeError, ValueError, TypeError)


def keras_weights(model: Model, path: str) -> list[tuple[Variable, np.ndarray]]:
    """Every variable of a model with its values in a file of Keras.

    Layers belong together by class and order, as Keras names them in files: ``dense``, ``dense_1``, and so on. Nothing
    but numbers is read: no configuration, no code, no other file that a link in the file may name.

    Raises
    ------
    FormatError
        The file is damaged, or of other layers.
    ImportError
        h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        fix = "install it with pip install 'fastnn[keras-files]'"
        raise invalid("filepath", repr(path), "h5py, which reads such files", fix, ImportError) from None
    source: Any = path
    if path.lower().endswith(".keras"):
        source = io.BytesIO(unzipped(path, sum(v.value.nbytes for v in model.variables)))
    else:
        os.stat(path)  # an OSError of a file that is not there, which tells its path
    try:
        with h5py.File(source, "r") as file:
            found = of_model(path, model, file)
    except FormatError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise wrong(path, "contents", str(error), "HDF5, as Keras writes it") from None
    missing = {id(v) for v in model.variables} - {id(v) for v, _ in found}
    if missing:
        names = ", ".join(v.path for v in model.variables if id(v) in missing)
        raise wrong(
            path, "layers", f"none with {names}", f"all weights of {model.name!r}", "use a model as in the file"
        )
    return found


def unzipped(path: str, nbytes: int) -> bytes:
    """The HDF5 file in an archive, if it has no unreasonable size."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(MEMBER)
            limit = ROOM[0] + ROOM[1] * nbytes
            if info.file_size > limit:
                raise wrong(path, MEMBER, f"{info.file_size} bytes", f"at most {limit} for such a model")
            with archive.open(info) as member:
                return member.read(limit)
    except FormatError:
        raise
    except DAMAGES as error:
        raise wrong(path, "archive", str(error), f"a zip archive with {MEMBER}") from None


def of_model(path: str, model: Model, group: Any) -> list[tuple[Variable, np.ndarray]]:
    """The variables of the layers of a model, whose group this is."""
    found: list[tuple[Variable, np.ndarray]] = []
    seen: set[int] = set()
    used: dict[str, int] = {}
    for layer in model.layers:
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        name = snake_case(kind_of(layer))
        used[name] = used.get(name, -1) + 1
        place = f"layers/{name}" + (f"_{used[name]}" if used[name] else "")
        if not layer.variables:
            continue
        part = member(path, group, place)
        found += of_model(path, layer, part) if isinstance(layer, Model) else of_layer(path, layer, part, place)
    return found


def of_layer(path: str, layer: Layer, group: Any, place: str) -> list[tuple[Variable, np.ndarray]]:
    """The variables of a layer that holds no others."""
    variables, fix = layer.variables, "use a model as in the file"
    arrays = member(path, group, "vars")
    if len(arrays) != len(variables):
        received, expected = f"{len(arrays)} arrays", f"{len(variables)}, as {layer.name!r} has"
        raise wrong(path, place, received, expected, fix)
    found = []
    for i, variable in enumerate(variables):
        data = member(path, arrays, str(i))
        if getattr(data, "shape", None) != variable.shape or data.dtype.kind not in "fiu":
            received = f"{getattr(data, 'dtype', 'no array')} of shape {getattr(data, 'shape', None)}"
            expected = f"numbers of shape {variable.shape}, as {variable.path!r} has"
            raise wrong(path, f"{place}/vars/{i}", received, expected, fix)
        if data.external or data.is_virtual:
            raise wrong(path, f"{place}/vars/{i}", "numbers in another file", "all of them in this one")
        found.append((variable, data[()]))
    return found


def member(path: str, group: Any, name: str) -> Any:
    """What a group holds, not what it points to elsewhere."""
    import h5py

    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            received = "nothing" if link is None else "a link to elsewhere"
            raise wrong(path, name, received, "a layer or its numbers", "use a model as in the file")
        group = group[part]
    return group
