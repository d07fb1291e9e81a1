"""Objects made from names and configurations: one rule for losses, optimizers, initializers and the rest."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from .errors import check_name, invalid, show, unknown

Names = dict[str, Callable[[], Any]]

_registered: dict[str, Any] = {}  # classes and functions of users, by the names under which configurations know them


def register(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """A decorator that makes a class or function of one's own known to ``from_config``.

    Parameters
    ----------
    package : str, default "Custom"
        As in Keras; configurations here have the name only.
    name : str, optional
        Default: the name of the class or function.

    Raises
    ------
    TypeError
        What is decorated is no class or function, or a class without ``get_config()``.

    Examples
    --------
    >>> @register()
    ... class Scale:
    ...     def get_config(self):
    ...         return {}
    >>> sorted(registered(object))
    ['Scale']
    """
    check_name("name", name)
    if not isinstance(package, str) or not package:  # as in a decorator without parentheses
        raise invalid("package", show(package), "a name", "write @register() with parentheses", TypeError)

    def enter(made: Any) -> Any:
        if not callable(made):
            raise invalid("object", show(made), "a class or a function", "decorate a class or a function", TypeError)
        if isinstance(made, type) and not hasattr(made, "get_config"):
            fix = "return the arguments that make an equal object"
            raise invalid(f"class {made.__name__}", "a class without get_config()", "one that has it", fix, TypeError)
        _registered[name or made.__name__] = made
        return made

    return enter


@contextmanager
def custom_object_scope(custom_objects: dict[str, Any] | None) -> Iterator[None]:
    """A ``with`` block in which configurations know further classes and functions.

    Parameters
    ----------
    custom_objects : dict of str to type or callable, or None

    Examples
    --------
    >>> class Scale:
    ...     pass
    >>> with custom_object_scope({"Scale": Scale}):
    ...     "Scale" in registered(object)
    True
    """
    fix = "pass classes and functions by name"
    if not isinstance(custom_objects, (dict, type(None))):
        raise invalid("custom_objects", show(custom_objects), "a dict", fix, TypeError)
    for name, made in (custom_objects or {}).items():
        if not isinstance(name, str) or not callable(made):
            raise invalid("custom_objects", f"{name!r}: {show(made)}", "names of classes and functions", fix, TypeError)
    given = custom_objects or {}
    before = {name: made for name, made in _registered.items() if name in given}
    _registered.update(given)
    try:
        yield
    finally:
        for name in given:
            _registered.pop(name, None)
        _registered.update(before)


def registered(base: type) -> dict[str, Any]:
    """The registered classes derived from `base`, by name."""
    return {name: cls for name, cls in _registered.items() if isinstance(cls, type) and issubclass(cls, base)}


def registered_functions() -> dict[str, Callable[..., Any]]:
    """The registered functions, by name."""
    return {name: made for name, made in _registered.items() if not isinstance(made, type)}


def name_of(made: Any) -> str:
    """The name by which configurations know a class or function."""
    return next((name for name, known in _registered.items() if known is made), made.__name__)


def serialize(argument: str, made: Any) -> Any:
    """The configuration of an object, or the name of a registered function, from which `make` makes an equal one.

    Raises
    ------
    ValueError
        A function that is not registered.
    """
    if made is None:
        return None
    if isinstance(made, Configurable):
        return {"class_name": name_of(type(made)), "config": made.get_config()}
    if made in registered_functions().values():
        return name_of(made)
    expected, fix = "something that a configuration can name", "register it with fastnn.saving"
    raise invalid(argument, show(made), expected, f"{fix}.register_keras_serializable()")


def deserialize(config: Any, custom_objects: dict[str, Any] | None, get: Callable[[Any], Any]) -> Any:
    """The object of a configuration or a name, looked for among `custom_objects` first; `get` knows all others."""
    if not isinstance(custom_objects, (dict, type(None))):
        fix = "pass classes and functions by name"
        raise invalid("custom_objects", show(custom_objects), "a dict", fix, TypeError)
    name = config.get("class_name") if isinstance(config, dict) else config
    if not custom_objects or not isinstance(name, str) or name not in custom_objects:
        return get(config)
    made = custom_objects[name]
    if not isinstance(made, type):
        return made
    arguments = config.get("config") if isinstance(config, dict) else None
    return made.from_config(arguments or {}) if hasattr(made, "from_config") else made(**(arguments or {}))


def snake_case(name: str) -> str:
    """``HeNormal`` as ``he_normal``."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def function_name(function: Callable[..., Any]) -> str:
    """The name of a function; for any other callable that of its class.

    Examples
    --------
    >>> function_name(len), function_name(lambda: 0)
    ('len', 'lambda')
    """
    if not callable(function):
        fix = "pass a function written with fastnn.ops"
        raise invalid("function", show(function), "a function of targets and predictions", fix, TypeError)
    return str(getattr(function, "__name__", snake_case(type(function).__name__))).strip("<>")


class Configurable:
    """What is described by the arguments it was made with."""

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal object."""
        raise NotImplementedError(f"class {type(self).__name__} has no get_config method")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make an object from what `get_config` gave."""
        if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
            raise invalid(f"config of {cls.__name__}", show(config), "a dict", "pass what get_config() gave", TypeError)
        return cls(**config)


def spellings(*classes: type, spell: Callable[[str], str] = snake_case, **aliases: Callable[[], Any]) -> Names:
    """Every class by its name and by that as `spell` writes it, and further names.

    Examples
    --------
    >>> sorted(spellings(Configurable, conf=Configurable))
    ['Configurable', 'conf', 'configurable']
    """
    named: Names = {name: cls for cls in classes for name in (cls.__name__, spell(cls.__name__))}
    return named | aliases


def make(argument: str, identifier: Any, names: Names, base: type, wrap: Callable[[Any], Any] | None = None) -> Any:
    """Return the object that `identifier` stands for.

    Parameters
    ----------
    argument : str
        What the object is, for the error.
    identifier : str, class, dict, callable or instance
        A name; a class, which is called; a config ``{"class_name": ..., "config": {...}}``; an
        instance of `base`, which is returned as it is; or a function.
    names : dict of str to callable
        As `spellings` gives it.
    base : type
    wrap : callable, optional
        Makes an object from a plain function; functions are refused without it.

    Raises
    ------
    ValueError
        For an unknown name, with the nearest valid ones.
    TypeError
        For anything else.
    """
    if isinstance(identifier, type) and not issubclass(identifier, type):
        functions = wrap and any("__call__" in vars(cls) for cls in identifier.__mro__)
        if functions or issubclass(identifier, base):
            identifier = identifier()
    if isinstance(identifier, base):
        return identifier
    if isinstance(identifier, dict):
        name = identifier.get("class_name")
        known = names | registered(base)
        if isinstance(name, str) and isinstance(known.get(name), type):
            config = identifier.get("config")
            return known[name].from_config({} if config is None else config)  # type: ignore[attr-defined]
        identifier = name
    if isinstance(identifier, str) and identifier in names:
        return names[identifier]()
    if isinstance(identifier, str) and identifier in registered(base):
        return registered(base)[identifier]()
    if isinstance(identifier, str):
        identifier = registered_functions().get(identifier, identifier)
    if wrap and callable(identifier) and not isinstance(identifier, type):
        return wrap(identifier)
    raise unknown(argument, identifier, (name for name in names if name.islower()))
