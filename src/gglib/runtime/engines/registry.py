"""Engines from other packages: entry points in the group ``gglib.engines`` (``docs/adding-an-engine.md``).

An entry point names a callable without arguments that returns an ``Engine``, such as its class. Packages are looked up
when a plug-in is chosen, and by ``gglib doctor``.
"""

import inspect
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points

from gglib.core.errors import EngineNotFoundError, GglibError
from gglib.runtime.engines.base import Engine

GROUP = "gglib.engines"
_ABSENT = object()
"""Stands for a missing member. Properties are not read: they may run a program."""
_MEMBERS = tuple(name for protocol in Engine.__mro__ for name in vars(protocol) if not name.startswith("_"))


def plugin_names() -> tuple[str, ...]:
    """Return the names of the installed plug-ins, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def open_plugin(name: str) -> Engine:
    """Return the engine of a plug-in. Runs its code, which may take seconds.

    Raises ``EngineNotFoundError`` if no plug-in has this name, or if it cannot be used.
    """
    points = entry_points(group=GROUP, name=name)
    if not points:
        known = ", ".join(f"plugin:{other}" for other in plugin_names()) or "none"
        raise EngineNotFoundError(
            f"No package provides the engine 'plugin:{name}' (installed: {known}): install its package beside gglib, "
            "or choose another engine with 'gglib config set engine embedded'."
        )
    return _opened(next(iter(points)))


def plugin_faults() -> Iterator[str]:
    """Yield a sentence for each installed plug-in that cannot be used. Runs their code."""
    for point in entry_points(group=GROUP):
        try:
            _opened(point)
        except EngineNotFoundError as error:
            yield str(error)


def _opened(point: EntryPoint) -> Engine:
    try:
        engine = point.load()()
    except GglibError as error:
        raise _unusable(point, str(error).removesuffix(".")) from error
    except (Exception, SystemExit) as error:
        raise _unusable(point, f"{type(error).__name__}: {error}") from error
    missing = [name for name in _MEMBERS if inspect.getattr_static(engine, name, _ABSENT) is _ABSENT]
    if missing:
        raise _unusable(point, f"it lacks {', '.join(missing)}")
    return engine  # type: ignore[no-any-return]


def _unusable(point: EntryPoint, why: str) -> EngineNotFoundError:
    package = "" if point.dist is None else f" of the package {point.dist.name}"
    return EngineNotFoundError(
        f"The engine 'plugin:{point.name}'{package} cannot be used: {why}; update or uninstall that package with the "
        f"pip of {sys.executable}."
    )
