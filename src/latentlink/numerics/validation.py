"""Arguments held to the annotations of what is called: one check for all public functions, constructors and methods.

An annotation says what an argument may be: a number, a word, one of several words, an object of a class or a protocol, a path, a tensor of
some kind and shape. `validate_call` refuses everything else by name, before anything is computed; limits that an annotation cannot say
(positive, finite, below the number of antennas) stay in the functions, by `doors`. Classes that inherit `Validated` have it for their
constructors and public methods. Subclasses outside of the package do not: their annotations are their own.
"""

import functools
import inspect
import math
import numbers
import operator
import os
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from jaxtyping import jaxtyped
from numpy.typing import NDArray
from torch import Tensor

from latentlink.numerics.expectations import expected, is_array, shown

P = ParamSpec("P")
R = TypeVar("R")
_CALLED = ("__call__", "__getitem__", "__add__", "__sub__")  # methods that are public in spite of their names
_ARRAY = NDArray[Any]
_DEEPEST = 64  # axes that NumPy and PyTorch can have
_LONGEST = 10_000  # entries of a sequence that are looked at


def validate_call(function: Callable[P, R]) -> Callable[P, R]:
    """Hold the arguments of a function to its annotations; a ValueError that names the argument, what came and what was expected."""
    validate = _Arguments(function)

    @functools.wraps(function)
    def validated(*args: P.args, **kwargs: P.kwargs) -> R:
        if not torch.compiler.is_compiling():
            validate(args, kwargs)
        return function(*args, **kwargs)

    validated.__validated__ = True  # type: ignore[attr-defined]
    return validated


class _Signature:
    """The signature of a class is that of its `__init__`: `inspect` and editors would read it off `__new__`."""

    def __get__(self, whole: object, cls: type) -> inspect.Signature:
        if whole is not None:
            raise AttributeError("__signature__")
        parameters = list(inspect.signature(cls.__init__).parameters.values())  # type: ignore[misc]
        return inspect.Signature(parameters[1:])


class Validated:
    """An object whose constructor and public methods refuse arguments that their annotations exclude."""

    __signature__ = _Signature()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.partition(".")[0] == "latentlink":
            for name, member in list(vars(cls).items()):
                if not name.startswith("_") or name in _CALLED:
                    _validate_member(cls, name, member)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if (args or kwargs) and cls.__module__.partition(".")[0] == "latentlink":
            _constructor(cls.__init__)((None, *args), kwargs)
        return super().__new__(cls)


def _validate_member(cls: type, name: str, member: Any) -> None:
    function = getattr(member, "__func__", member)
    if isinstance(function, types.FunctionType) and not hasattr(function, "__validated__"):
        checked: Any = validate_call(function)
        setattr(cls, name, type(member)(checked) if isinstance(member, classmethod | staticmethod) else checked)


@functools.cache
def _constructor(function: Callable[..., Any]) -> "_Arguments":
    return _Arguments(function)


class _Arguments:
    """The annotations of the parameters of a function, read when it is first called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.names: list[str] | None = None

    def _read(self) -> list[str]:
        """Read annotations, which may name classes that are defined later than the function."""
        parameters = inspect.signature(self.function).parameters
        hints = get_type_hints(self.function, include_extras=True)
        kinds = {name: parameter.kind for name, parameter in parameters.items()}
        self.hints = {name: hints[name] for name in kinds if name in hints}
        self.optional = {name for name, parameter in parameters.items() if parameter.default is None}
        self.rest = next((name for name, kind in kinds.items() if kind is inspect.Parameter.VAR_POSITIONAL), None)
        self.shaped = any(_has_shape(hint) for hint in self.hints.values())
        self.by_name = [name for name, kind in kinds.items() if kind is inspect.Parameter.KEYWORD_ONLY]
        self.names = [name for name, kind in kinds.items() if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        return self.names

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        names = self._read() if self.names is None else self.names
        if len(args) > len(names) and self.rest is None and self.by_name:
            self._refuse_places(names, args[len(names) :], kwargs)
        given = [*zip(names, args, strict=False), *kwargs.items(), *((self.rest or "", value) for value in args[len(names) :])]
        if self.shaped:
            with jaxtyped("context"):
                self._check(given)
        else:
            self._check(given)

    def _check(self, given: Sequence[tuple[str, Any]]) -> None:
        for name, value in given:
            hint = self.hints.get(name)
            if hint is not None and not (value is None and name in self.optional) and not fits(value, hint):
                remedy = _convert(name, value, hint) or self._beside(name, given)
                raise ValueError(f"{name} must be {expected(hint)}, got {shown(value)}{remedy}")

    def _refuse_places(self, names: list[str], further: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Refuse what is given by position and has to be given by name: a source of randomness, or any of the parameters that are left."""
        owner, _, called = self.function.__qualname__.rpartition(".")
        own = ", ".join(name for name in names if name not in ("self", "cls")) or "no arguments"
        left = [name for name in self.by_name if name not in kwargs]
        seed = [name for name in left if name == "generator" and any(fits(value, int | torch.Generator) for value in further)]
        named = ", ".join(f"{name}=" for name in seed or left) or "nothing else"
        raise TypeError(
            f"{owner if called == '__init__' else called} takes {own} by position, got {len(further)} more "
            f"({', '.join(map(shown, further))}): {named} must be given by name"
        )

    def _beside(self, name: str, given: Sequence[tuple[str, Any]]) -> str:
        """The shapes that the axes of a tensor have to fit, in words."""
        if not self.shaped or not _has_shape(self.hints[name]):
            return ""
        others = [f"{other} {tuple(value.shape)}" for other, value in given if other != name and isinstance(value, Tensor)]
        return f", beside {', '.join(others)}" if others else ""


def _convert(name: str, value: Any, hint: Any) -> str:
    """What makes a value fit: a list around a word, or a float of a fraction or a decimal number; "" for others."""
    if isinstance(value, str) and fits([value], hint):
        return f": write [{value!r}]"
    exact = isinstance(value, numbers.Number) and not isinstance(value, int | float | complex | np.number)
    return f": float({name})" if exact and fits(0.5, hint) else ""


def _has_shape(hint: Any) -> bool:
    return is_array(hint) or any(_has_shape(option) for option in get_args(hint) if not isinstance(option, str))


def fits(value: Any, hint: Any) -> bool:
    """Return True unless a value is surely not what an annotation asks for."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fits(value, options[0])
    if origin in (Union, types.UnionType):
        if isinstance(value, str) and "\0" in value and any(map(_is_path, options)) and Any not in options:
            return False
        if Tensor in options and _ARRAY in options and not _is_endless(value):
            return True  # `doors.as_tensor` looks closer
        return any(fits(value, option) for option in options)
    if origin is Literal:
        return any((type(value) is type(option) or _are_words(value, option)) and value == option for option in options)
    if isinstance(hint, TypeVar):
        return hint.__bound__ is None or fits(value, hint.__bound__)
    if hint in _NUMBERS:
        return _NUMBERS[hint](value)
    if is_array(hint) or hint is Tensor:
        return isinstance(value, hint) and holds_numbers(value)
    if origin is not None:
        return _fits_container(value, origin, options)
    if not isinstance(hint, type):
        return value is None if hint is None else True
    return _is_instance(value, hint)


def _are_words(*values: Any) -> bool:
    """Return True for strings of any class, such as NumPy's and those of an enum."""
    return all(isinstance(value, str) for value in values)


def listed(value: Any) -> Any:
    """The list of a one-dimensional array, tensor, index or column, which is as good as a list; any other value is returned as it is."""
    if isinstance(value, np.ndarray) or (isinstance(value, Tensor) and holds_numbers(value)):
        return value.tolist() if value.ndim == 1 else value
    if type(value).__module__.partition(".")[0] in ("pandas", "polars") and len(getattr(value, "shape", ())) == 1:
        return value.to_list()
    return value


def _is_endless(value: Any) -> bool:
    """Return True for lists in lists deeper than any array has axes, such as one that holds itself."""
    depth = 0
    while isinstance(value, list | tuple) and value and depth <= _DEEPEST:
        value, depth = value[0], depth + 1
    return depth > _DEEPEST


def _is_path(hint: Any) -> bool:
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and issubclass(kind, os.PathLike)


def _fits_container(value: Any, origin: Any, options: tuple[Any, ...]) -> bool:
    """Hold a container to the kinds of its entries; a list is as good as a tuple."""
    if origin is type:
        return isinstance(value, type)
    if not isinstance(origin, type) or origin is np.ndarray:
        return not isinstance(origin, type) or isinstance(value, np.ndarray)
    if issubclass(origin, Mapping):
        return isinstance(value, origin) and all(fits(key, options[0]) and fits(each, options[1]) for key, each in value.items())
    if not issubclass(origin, tuple | list | Sequence):
        return _is_instance(value, origin)
    value = listed(value)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return False
    if issubclass(origin, tuple) and ... not in options:
        return len(value) == len(options) and all(map(fits, value, options))
    return all(fits(each, options[0]) for each in value[:_LONGEST])


def _is_instance(value: Any, kind: type) -> bool:
    """Return True for an object of a class or a protocol, as far as that can be asked; the class itself is none."""
    if kind is object or kind is type:
        return True
    try:
        return isinstance(value, kind) and not isinstance(value, type)
    except TypeError:  # a protocol that is not checked at runtime
        return True


def holds_numbers(tensor: Tensor) -> bool:
    """Return True if every entry of a tensor is stored: it is not nested, sparse or quantised, nor on the meta device."""
    return tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_meta and not tensor.is_quantized


def whole_number(value: Any) -> int | None:
    """The integer that a value is, of Python, of NumPy or of a tensor; None for others, for booleans, and beyond 64 bits."""
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__") or (isinstance(value, Tensor) and value.dtype == torch.bool):
        return None
    try:
        number = operator.index(value)
    except (TypeError, RuntimeError, ValueError):
        return None
    return number if -(2**63) <= number < 2**64 else None


def real_number(value: Any) -> float:
    """The real number that a value is, of Python, of NumPy or of a tensor, infinite ones included; NaN for all others, and for booleans.

    Fractions and decimal numbers are none: they do not mix with tensors.
    """
    if isinstance(value, Tensor):
        if value.numel() != 1 or not holds_numbers(value) or value.is_complex() or value.dtype == torch.bool:
            return math.nan
    elif isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return math.nan
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return math.nan


_NUMBERS: dict[Any, Callable[[Any], bool]] = {
    int: lambda value: whole_number(value) is not None,
    float: lambda value: not math.isnan(real_number(value)),
    bool: lambda value: isinstance(value, bool | np.bool_),
}
