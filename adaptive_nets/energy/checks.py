"""Checks of settings and data, made before any work begins."""

import warnings
from typing import Any

import keras
import numpy as np
from scipy import sparse

from adaptive_nets._checks import check_array, check_integer, check_list, check_number, show
from adaptive_nets.graphs.read import yields_batches

# How many hidden units machines of real values may train for each visible one.
UNITS_PER_FEATURE = 2


def has_real_values(rows: Any) -> bool:
    """Returns whether most values of rows are neither nearly 0 nor nearly 1."""
    if sparse.issparse(rows):
        return False
    rows = np.asarray(rows)
    return bool(((rows > 0.01) & (rows < 0.99)).mean() > 0.5)


def check_method(method: str, visible: str) -> None:
    """Raises `ValueError` for units whose pseudo-likelihood is not known."""
    if method == "pl" and visible != "binary":
        raise ValueError(
            "method='pl' needs binary visible units: real ones have no pseudo-likelihood here. "
            f"Pass method='pcd'. Received: visible={show(visible)}."
        )


def check_beta(beta: Any) -> None:
    """Raises `ValueError` for prices at which the sum over infinitely many units diverges."""
    try:
        check_number("beta", beta, 1, inclusive=False)
    except ValueError as error:
        raise ValueError(f"{error} At 1 the partition function diverges.") from None


def check_unlabelled(name: str, y: Any) -> None:
    """Raises `ValueError` for labels given to a machine, whose class has this name."""
    if y is not None:
        raise ValueError(
            f"{name} learns without labels: call fit(x). Received: y of type {type(y).__name__}."
        )


def check_rows(x: Any, visible: str, batch_size: int | None) -> tuple[np.ndarray, int]:
    """Checks rows that a machine is to learn from, and chooses the batch size.

    Args:
        x: `(rows, visible)`.
        visible: `"binary"` or `"gaussian"`.
        batch_size: The requested batch size, or `None`.

    Returns:
        The rows, and the number of rows per step.
    """
    if sparse.issparse(x):
        return _check_sparse(x, visible, batch_size)
    x = check_array("x", x, "rows of equal length")
    if x.ndim != 2 or len(x) < 2 or not x.shape[1]:
        raise ValueError(
            f"x must have two axes and at least two rows. Received: x of shape {x.shape}."
        )
    if x.dtype.kind not in "fiub" or not np.isfinite(x).all():
        what = f"dtype {x.dtype}" if x.dtype.kind not in "fiub" else "NaN or infinite values"
        raise ValueError(f"x must be finite numbers. Received: {what}. Fill or drop these rows.")
    low, high = x.min(), x.max()
    if visible == "binary" and (low < 0 or high > 1):
        raise ValueError(
            f"Binary visible units need values in [0, 1]. Received: values from {low:.6g} to "
            f"{high:.6g}. Scale them, or pass visible='gaussian' for standardized real values."
        )
    constant = int((x.min(axis=0) == x.max(axis=0)).sum())
    if constant == x.shape[1]:
        raise ValueError(
            "x must have at least one column that varies. Received: only constant columns."
        )
    if constant:
        warnings.warn(
            f"{constant} of {x.shape[1]} columns are constant: nothing can be learned from them.",
            stacklevel=3,
        )
    return x, _batch_size(len(x), batch_size)


def check_visible(x: Any, machine: Any = None, name: str = "x", batches: bool = False) -> Any:
    """Raises `ValueError` for what are not rows of a machine's visible units.

    Args:
        x: Array, tensor or SciPy sparse matrix.
        machine: An `RBM`. Defaults to `None`: of any number of visible units.
        name: Name of the argument. Defaults to `"x"`.
        batches: Whether datasets will do too, which are not looked at. Defaults to `False`.

    Returns:
        The rows; lists as an array.
    """
    if batches and yields_batches(x):
        return x
    words = "an array (rows, visible)"
    given = keras.ops.is_tensor(x) or sparse.issparse(x)
    array = x if given else check_array(name, x, words)
    size = machine.visible_variable.shape[0] if machine is not None and machine.built else None
    shape = tuple(array.shape)
    if len(shape) != 2 or None in shape or size not in (None, shape[1]):
        raise ValueError(
            f"{name} must have the shape (rows, {size or 'visible'}). Received: "
            + (f"shape {shape}." if hasattr(x, "shape") else f"{name}={show(x)}.")
        )
    if isinstance(array, np.ndarray) and (
        array.dtype.kind not in "fiub" or not np.isfinite(array).all()
    ):
        what = "NaN or infinite values" if array.dtype.kind == "f" else f"dtype {array.dtype}"
        raise ValueError(f"{name} must be finite numbers. Received: {what}.")
    return array


def visible_size(input_shape: Any) -> int:
    """Returns the number of visible units of a machine for rows of a shape."""
    words = "the shape of rows, (None, visible)"
    if not hasattr(input_shape, "__len__"):
        # An iterator would be empty when Keras reads it.
        raise TypeError(f"input_shape must be {words}. Received: input_shape={show(input_shape)}.")
    sizes = check_list("input_shape", input_shape, int | np.integer | None, words, 1)
    return check_integer("input_shape[-1]", sizes[-1], 1)


def check_built(machine: Any, name: str = "machine") -> None:
    """Raises `ValueError` for a machine without weights."""
    if not machine.built:
        raise ValueError(
            f"{name} must have been fitted: call fit(x), or adapt(x). "
            f"Received: {name}={show(machine)}, which has no weights yet."
        )


def means_of(x: Any) -> np.ndarray:
    """Returns the mean of each column of rows that `check_visible` has checked."""
    if 0 in x.shape:
        raise ValueError(f"x must have at least one row and column. Received: x={show(x)}.")
    x = keras.ops.convert_to_numpy(x) if keras.ops.is_tensor(x) else x
    return np.ravel(x.mean(axis=0))


def _check_sparse(x, visible, batch_size):
    """Like `check_rows`, without making the matrix dense: values not stored are zero."""
    if x.shape[0] < 2 or not x.nnz or not np.isfinite(x.data).all():
        raise ValueError(
            "x must have at least two rows, and finite numbers that are not all zero. "
            f"Received: x of shape {x.shape} with {x.nnz} stored numbers."
        )
    low, high = min(x.data.min(), 0), x.data.max()
    if visible == "binary" and (low < 0 or high > 1):
        raise ValueError(
            f"Binary visible units need values in [0, 1]. Received: values from {low:.6g} to "
            f"{high:.6g}. Scale them, for example with x.sign() for presence of words."
        )
    return x.tocsr(), _batch_size(x.shape[0], batch_size)


def _batch_size(rows, given):
    if given is None:
        return min(64, rows)
    check_integer("batch_size", given, 1)
    if given > rows:
        raise ValueError(
            f"batch_size must not exceed the number of rows, {rows}. Received: batch_size={given}."
        )
    return int(given)
