"""How an activation becomes two rows of the table: itself, and its gradient."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .layout import elements
from .table import EPSILON, TINY, op, per_element, same

PUBLIC: dict[str, Callable[..., Any]] = {}  # the activations by their public names


def activation(
    slope: Callable[..., Any],
    of: str | Callable[..., str] = "input",
    flops: float = 1,
    tol: Any = 1.0,
    slope_tol: Any = 0.0,
    example: Any = None,
    shape: Callable[..., Any] = same,
    public: str | None = None,
) -> Callable[..., Any]:
    """Enter an activation and its gradient ``<name>_grad(dy, v) = dy * slope(v)`` as two rows.

    Parameters
    ----------
    slope : callable
        ``slope(v, **attributes)``, the derivative in NumPy.
    of : {"input", "output"} or callable
        What `slope` takes: the activation's input, or its output. "output" lets the planner fuse
        the activation into the step before it, because the input need not be kept. A callable
        ``of(**attributes)`` chooses, where one formula serves both.
    flops : float
        Operations per element, for the choice of threads and the benchmarks.
    tol : float or callable
        Tolerance of the value, as in `Op`.
    slope_tol : float or callable
        Tolerance of the slope, in the same form; the product with ``dy`` adds its own rounding.
    example, shape : callable, optional
        As in `Op`; the default example draws normal numbers.
    public : str, optional
        Name in `fastnn.activations`; default the function's own, "" for none.
    """

    def enter(reference: Callable[..., Any]) -> Callable[..., Any]:
        name = reference.__name__
        keep: Callable[..., str] = of if callable(of) else lambda **attrs: of

        def value_and_slope(step: Any, dy: Any) -> list[Any]:
            kept = step.outs[0] if keep(**step.attrs) == "output" else step.ins[0]
            return [gradient(dy, kept, **step.attrs)]

        draw: Callable[..., Any] = example or draw_normal
        forward = op(
            shape=shape,
            dims=elements,
            kind="activation",
            grad=value_and_slope,
            flops=per_element(flops),
            tol=tol,
            example=draw,
            maps=True,
        )(reference)

        def grad_reference(dy: np.ndarray, v: np.ndarray, **attrs: Any) -> np.ndarray:
            return (dy * slope(v, **attrs)).astype(dy.dtype, copy=False)

        def grad_bound(dy: np.ndarray, v: np.ndarray, **attrs: Any) -> np.ndarray:
            return np.abs(dy) * (slope_tol(v, **attrs) + EPSILON / 2 * np.abs(slope(v, **attrs))) + TINY

        def draw_gradient(rng: Any, rows: int, width: int) -> Any:
            (x,), attrs = draw(rng, rows, width)
            known = {**forward.op.attributes, **attrs}
            v = reference(x, **attrs) if keep(**known) == "output" else x
            return (rng.standard_normal(x.shape), v), attrs

        grad_reference.__name__ = f"{name}_grad"
        grad_reference.__doc__ = f"Gradient of `{name}`: ``dy * slope(v)``."
        grad_reference.__signature__ = gradient_signature(reference)  # type: ignore[attr-defined]
        gradient = op(
            dims=elements,
            kind="activation_grad",
            flops=per_element(flops + 1),
            tol=grad_bound if callable(slope_tol) else slope_tol + 0.5,
            example=draw_gradient,
        )(grad_reference)
        if public != "":
            PUBLIC[public or name] = forward
        return forward

    return enter


def draw_normal(rng: Any, rows: int, width: int) -> Any:
    return (3 * rng.standard_normal((rows, width)),), {}


def with_attributes(**attrs: float) -> Callable[..., Any]:
    """The default example with these attributes."""
    return lambda rng, rows, width: (draw_normal(rng, rows, width)[0], attrs)


def gradient_signature(reference: Callable[..., Any]) -> inspect.Signature:
    """Signature ``(dy, v, *, <attributes of the activation>)``."""
    parameters = inspect.signature(reference).parameters.values()
    arrays = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in ("dy", "v")]
    return inspect.Signature(arrays + [p for p in parameters if p.kind is p.KEYWORD_ONLY])
