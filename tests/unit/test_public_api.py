"""The public names for embedders: they exist, are documented, and cost nothing before they are used."""

import enum
import importlib
import inspect
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

import gglib

ROOT = Path(__file__).parents[2]
PUBLIC = ("gglib", "gglib.core.ports", "gglib.proxy", "gglib.runtime", "gglib.testing")
"""The modules whose ``__all__`` is public."""
STABLE_PORTS = {
    "CatalogError",
    "ModelCatalogPort",
    "ModelLaunchSpec",
    "ModelRuntimeError",
    "ModelRuntimePort",
    "ModelSummary",
    "RunningTarget",
}


@pytest.mark.parametrize("module_name", PUBLIC)
def test_every_public_name_can_be_imported(module_name: str) -> None:
    """Sorted, each once; every listed name exists."""
    module = importlib.import_module(module_name)
    assert sorted(set(module.__all__)) == module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_ports_export_the_names_for_embedders() -> None:
    """These names stay, in both places, and are the same objects."""
    ports = importlib.import_module("gglib.core.ports")
    assert set(ports.__all__) >= STABLE_PORTS <= set(gglib.__all__)
    for name in STABLE_PORTS:
        assert getattr(gglib, name) is getattr(ports, name)


def test_a_name_that_is_not_public_is_an_ordinary_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="module 'gglib' has no attribute 'serv'"):
        _ = gglib.serv  # type: ignore[attr-defined]


def test_import_of_the_package_is_lazy() -> None:
    """``import gglib`` is quick: no server, no database, no asyncio, not even typing."""
    program = "import sys; before = set(sys.modules); import gglib; print(*sorted(set(sys.modules) - before))"
    # -I -S: neither the environment nor site-packages have imported anything before.
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); {program}"
    shown = subprocess.run(
        [sys.executable, "-IS", "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert shown.split() == ["gglib"]


def test_version_is_that_of_the_project() -> None:
    """One number, in one file, which the build reads."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in configuration["project"]["dynamic"]
    source = (ROOT / configuration["tool"]["hatch"]["version"]["path"]).read_text()
    assert f'__version__ = "{gglib.__version__}"' in source


def documented() -> Iterator[tuple[str, object]]:
    """Yield every public class and function, and the public methods and properties that the class itself defines."""
    for module_name in PUBLIC:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.isclass(value) and not inspect.isfunction(value):
                continue
            yield f"{module_name}.{name}", value
            if inspect.isclass(value) and not issubclass(value, enum.Enum):
                for attribute, member in vars(value).items():
                    function = getattr(member, "__func__", member)
                    if not attribute.startswith("_") and isinstance(function, FunctionType | property):
                        yield f"{module_name}.{name}.{attribute}", function


DOCUMENTED = dict(documented())


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_name_has_a_docstring(name: str) -> None:
    """Its own: a dataclass without one would get its signature, a method that of its base."""
    doc = getattr(DOCUMENTED[name], "__doc__", None)
    assert doc, name
    assert not doc.startswith(f"{name.rpartition('.')[2]}("), name


def all_docs(name: str) -> str:
    """Return the docstring of a function, with those of the methods that it overrides and of its class."""
    *path, method = name.split(".")
    owner = DOCUMENTED.get(".".join(path))
    if not inspect.isclass(owner):
        return DOCUMENTED[name].__doc__ or ""
    docs = [
        getattr(vars(base).get(method), "__doc__", None) for base in owner.__mro__ if method in vars(base)
    ]
    return " ".join(doc for doc in (*docs, owner.__doc__) if doc)


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if not name.startswith("gglib.testing")])
def test_public_docstrings_explain_their_numbers(name: str) -> None:
    """A number whose name has no unit is explained by name, by the method or by the one that it overrides."""
    value = DOCUMENTED[name]
    if not isinstance(value, FunctionType):
        return
    doc = all_docs(name)
    plain = [
        parameter.name
        for parameter in inspect.signature(value).parameters.values()
        if parameter.annotation in {int, float, int | None, float | None}
        and not parameter.name.endswith(("_s", "_bytes", "_id", "ticket"))
    ]
    assert [parameter for parameter in plain if f"``{parameter}``" not in doc] == [], name
