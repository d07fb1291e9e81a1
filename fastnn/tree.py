"""Nested structures: arrays in lists, tuples and dicts, as models with several inputs and outputs take them."""

import numbers
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def is_nested(structure: Any) -> bool:
    """Whether this is a list, a tuple or a dict."""
    return isinstance(structure, (list, tuple, dict))


def children(structure: Any) -> list[tuple[Any, Any]]:
    """Key and value of each entry; those of a dict in the order of sorted keys, as in Keras."""
    if isinstance(structure, dict):
        return sorted(structure.items(), key=lambda item: str(item[0]))
    return list(enumerate(structure))


def leaves(structure: Any) -> Iterator[Any]:
    if is_nested(structure):
        for _, value in children(structure):
            yield from leaves(value)
    else:
        yield structure


def flatten(structure: Any) -> list[Any]:
    """All that is no list, tuple or dict, in order.

    Examples
    --------
    >>> flatten({"b": 2, "a": [0, 1]})
    [0, 1, 2]
    """
    return list(leaves(structure))


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with ``function(leaf)`` for each leaf.

    Examples
    --------
    >>> map_structure(abs, {"b": -2, "a": [0, -1]})
    {'a': [0, 1], 'b': 2}
    """
    if not is_nested(structure):
        return function(structure)
    made = [(key, map_structure(function, value)) for key, value in children(structure)]
    if isinstance(structure, dict):
        return dict(made)
    values = [value for _, value in made]
    return tuple(values) if isinstance(structure, tuple) else values


def is_shape(value: Any) -> bool:
    """Whether this is the shape of one array, not a structure of shapes."""
    return isinstance(value, tuple) and all(n is None or isinstance(n, numbers.Integral) for n in value)


def as_shapes(value: Any) -> Any:
    """A structure of shapes in which each shape is a tuple, also one that was given as a list."""
    if is_nested(value) and not isinstance(value, dict) and is_shape(tuple(value)):
        return tuple(value)
    made = [(key, as_shapes(part)) for key, part in children(value)] if is_nested(value) else value
    return dict(made) if isinstance(value, dict) else [part for _, part in made] if is_nested(value) else value


def shape_leaves(shapes: Any) -> list[tuple[Any, ...]]:
    """The shapes in a structure of shapes."""
    return [shapes] if is_shape(shapes) else [shape for _, part in children(shapes) for shape in shape_leaves(part)]


def shape_pack(shapes: Any, flat: Iterable[Any]) -> Any:
    """The entries of `flat` in the places of the shapes."""
    values = iter(flat)  # not taken up by a function inside, which would refer to itself and live on for a while
    if is_shape(shapes):
        return next(values)
    made = [(key, shape_pack(part, values)) for key, part in children(shapes)]
    if isinstance(shapes, dict):
        return dict(made)
    packed = [value for _, value in made]
    return tuple(packed) if isinstance(shapes, tuple) else packed


def unpack(shapes: Any, value: Any) -> list[Any] | None:
    """The parts of `value` in the places of the shapes; None if it is made in another way.

    Examples
    --------
    >>> unpack({"a": (None, 2), "b": [(None, 3), (None,)]}, {"b": [1, 2], "a": 0})
    [0, 1, 2]
    """
    if is_shape(shapes):
        return [value]
    kind = dict if isinstance(shapes, dict) else (list, tuple)
    if not isinstance(value, kind) or len(value) != len(shapes):
        return None
    if isinstance(shapes, dict) and set(shapes) != set(value):
        return None
    found = [unpack(part, value[key]) for key, part in children(shapes)]
    return None if None in found else [leaf for part in found if part is not None for leaf in part]


def shapes_of(x: Any) -> Any:
    """The shapes of the arrays of a structure, None for the batch; lists and tuples become lists."""
    if isinstance(x, dict):
        return {key: shapes_of(value) for key, value in children(x)}
    if is_nested(x):
        return [shapes_of(value) for value in x]
    return (None, *x.shape[1:])
