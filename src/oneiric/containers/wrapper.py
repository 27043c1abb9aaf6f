"""
The wrapper that `@inject` generates: a function with the parameter list of the one it wraps.

Compiling takes longer than all else that decorating does, so functions of one shape share what is compiled: it is
written for parameters without names, and each function's names are put in their place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from textwrap import indent
from types import CodeType, FunctionType
from typing import Any

from oneiric.containers.needs import site_name
from oneiric.containers.scopes import GENERATED

COMPILED = 512  # shapes whose wrapper is kept compiled

# In generated code every name of ours begins with `_0`, which no person gives to a parameter; `_0p0` is the first one.
_MAKE = """
def make(_0f, _0M, _0d, _0switch, _0pick, _0enter, _0note, _0leased, _0st, _0lease):
    _0way = None
    {define} call({head}):
        try:
            {body}
        except Exception as _0e:
            _0note(_0e)
            raise
    def store(cells, lease):
        nonlocal _0st, _0lease
        _0st, _0lease = cells, lease
    def store_way(way):
        nonlocal _0way
        _0way = way
    return call, store, store_way"""
_BODY = """{quick}
try:
    {cells} = _0pick() if _0switch.contextual else _0st
    {reads}
except AttributeError:
    _0g = None
else:
    {fast}
{slow}"""
_QUICK = """if _0way is not None and not _0switch.contextual:
    async with _0way({given}) as ({values}): return await _0f({args})"""
_GENERATOR = """if _0g is None:
    _0g = _0enter({given}).steps(lambda {values}: _0f({args}))
return (yield from _0g)"""
_ASYNC_GENERATOR = """if _0g is None:
    _0g = _0enter({given}).asteps(lambda {values}: _0f({args}))
try:
    _0i = await _0g.__anext__()
    while True:
        try:
            _0s = yield _0i
        except GeneratorExit:
            await _0g.aclose()
            raise
        except BaseException as _0e:
            _0i = await _0g.athrow(_0e)
        else:
            _0i = await _0g.asend(_0s)
except StopAsyncIteration:
    return"""
_LEASED = """_0l = _0leased() if _0switch.contextual else _0lease
    _0l.count += 1
    try:
        return await _0f({args})
    finally:
        _0l.count -= 1"""
_KINDS = {  # how it is defined, what it does when all is built, and what it does else
    "function": ("def", "return _0f({args})", "with _0enter({given}) as ({values}): return _0f({args})"),
    "coroutine": (
        "async def",
        _LEASED,
        "async with _0enter({given}) as ({values}): return await _0f({args})",
    ),
    "generator": ("def", "_0g = _0f({args})", _GENERATOR),
    "asyncgen": ("async def", "_0g = _0f({args})", _ASYNC_GENERATOR),
}


def kind_of(function: Callable[..., Any]) -> str:
    """Return `function`, `coroutine`, `generator` or `asyncgen`."""
    if inspect.iscoroutinefunction(function):
        return "coroutine"
    if inspect.isasyncgenfunction(function):
        return "asyncgen"
    return "generator" if inspect.isgeneratorfunction(function) else "function"


@lru_cache(maxsize=COMPILED)
def compiled(source: str) -> CodeType:
    """Return the code of a module that holds nothing but `make`."""
    module = compile(source, GENERATED, "exec")
    return next(code for code in module.co_consts if isinstance(code, CodeType))


def wrapper_maker(
    function: Callable[..., Any], signature: inspect.Signature, injected: Sequence[str]
) -> Callable[..., Any]:
    """
    Return what makes the wrapper of a function; see `_MAKE` for what it takes and returns.

    Args:
        function: What is wrapped; the globals of the wrapper are its own.
        signature: Its parameters.
        injected: Those that are filled.

    Raises:
        TypeError: A parameter without a default follows one that is injected.
    """
    kind = kind_of(function)
    define, fast, slow = _KINDS[kind]
    names = {name: f"_0p{n}" for n, name in enumerate(signature.parameters)}
    head, arguments = _parameters(function, signature, injected)
    values = "".join(f"_0v{n}, " for n in range(len(injected)))
    given = f"({', '.join(names[name] for name in injected)},)"
    reads = (f"_0v{n} = _0c{n}.live if {names[name]} is _0M else {names[name]}" for n, name in enumerate(injected))
    body = _BODY.format(
        cells="".join(f"_0c{n}, " for n in range(len(injected))),
        reads="; ".join(reads),
        quick=_QUICK.format(args=arguments, values=values, given=given) if kind == "coroutine" else "",
        fast=fast.format(args=arguments),
        slow=slow.format(args=arguments, values=values, given=given),
    )
    source = _MAKE.format(define=define, head=head, body=indent(body, " " * 12).lstrip())
    return FunctionType(_named(compiled(source), {ours: name for name, ours in names.items()}), function.__globals__)


def _named(code: CodeType, names: Mapping[str, str]) -> CodeType:
    """Return code with other names of its variables, and of the keywords of its calls; so in the code it holds."""

    def theirs(ours: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(name, name) for name in ours)

    def constant(value: Any) -> Any:
        if isinstance(value, CodeType):
            return _named(value, names)
        if isinstance(value, tuple):  # the keywords of a call, or of a definition
            return theirs(value)
        return names.get(value, value) if isinstance(value, str) else value  # one keyword beside `**`

    return code.replace(
        co_varnames=theirs(code.co_varnames),
        co_cellvars=theirs(code.co_cellvars),
        co_freevars=theirs(code.co_freevars),
        co_consts=tuple(map(constant, code.co_consts)),
    )


def _parameters(function: Callable[..., Any], signature: inspect.Signature, injected: Sequence[str]) -> tuple[str, str]:
    """Return the wrapper's parameter list, and the arguments of the inner call."""
    head: list[str] = []
    args: list[str] = []
    seen_star = injected_before = False
    parameters = list(signature.parameters.values())
    for position, parameter in enumerate(parameters):
        name, kind = f"_0p{position}", parameter.kind
        is_injected = parameter.name in injected
        if kind is parameter.KEYWORD_ONLY and not seen_star:
            head.append("*")
            seen_star = True
        seen_star |= kind is parameter.VAR_POSITIONAL
        star = "*" if kind is parameter.VAR_POSITIONAL else "**" if kind is parameter.VAR_KEYWORD else ""
        plain = kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if plain and injected_before and not is_injected and parameter.default is parameter.empty:
            at = f"{site_name(function)}({parameter.name})"
            raise TypeError(f"{at} has no default and follows an injected parameter; put it first")
        injected_before |= plain and is_injected
        if is_injected:
            default = "=_0M"
        elif parameter.default is not parameter.empty:
            default = f"=_0d[{position}]"
        else:
            default = ""
        head.append(f"{star}{name}{default}")
        following = parameters[position + 1].kind if position + 1 < len(parameters) else None
        if kind is parameter.POSITIONAL_ONLY and following is not parameter.POSITIONAL_ONLY:
            head.append("/")
        given = f"_0v{injected.index(parameter.name)}" if is_injected else name
        args.append(f"{name}={given}" if kind is parameter.KEYWORD_ONLY else f"{star}{given}")
    return ", ".join(head), ", ".join(args)
