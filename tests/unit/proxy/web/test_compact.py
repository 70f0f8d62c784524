"""Comments and indentation of modules are removed, and nothing else."""

from pathlib import Path

import pytest

from gglib.proxy.web.compact import compact_module, compact_style
from gglib.proxy.web.reading import DIRECTORY

OWN = sorted(path for path in DIRECTORY.rglob("*.js") if "vendor" not in path.parts)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/** A value. */\nconst a = 1; // one\n\n\n  const b = 2;\n", "const a=1;\nconst b=2;\n"),
        ('const url = "https://example.com/*no*/"; /* gone */', 'const url="https://example.com/*no*/";\n'),
        ("const a = 'it\\'s // here';", "const a='it\\'s // here';\n"),
        ("const t = `// kept\n    /* kept */`;", "const t=`// kept\n/* kept */`;\n"),
        ("const t = `a ${/* gone */ x} // kept`;", "const t=`a ${x} // kept`;\n"),
        (
            "const t = `a ${f({b: `c ${d} // kept`})} e`; // gone",
            "const t=`a ${f({b:`c ${d} // kept`})} e`;\n",
        ),
        ("const r = /[/*]\\/\\/'/g; // gone", "const r= /[/*]\\/\\/'/g;\n"),
        ("return /'/.test(x); // it's gone", "return /'/.test(x);\n"),
        ("const half = a / 2; // it's / gone", "const half=a / 2;\n"),
        ("const q = (a + b) / 2 /* it's */ / c;", "const q=(a+b) / 2 / c;\n"),
        ("x.replace(/`/g, '')\n  .split(/\"/)", "x.replace(/`/g,'')\n.split(/\"/)\n"),
        ("const t = `\\`${1}\\``; // gone", "const t=`\\`${1}\\``;\n"),
        ("const a = /** @type {any} */ (b);", "const a=(b);\n"),
        ("a = b + +c - -d; e = f+ ++g;", "a=b+ +c- -d;e=f+ ++g;\n"),
        ("const a = 1\nconst b = typeof a", "const a=1\nconst b=typeof a\n"),
        ("const cost = `$5 ${a} $`; // gone", "const cost=`$5 ${a} $`;\n"),
    ],
)
def test_only_comments_and_indentation_are_removed(source: str, expected: str) -> None:
    """Strings, templates, with expressions in each other, and regular expressions keep what looks like a comment."""
    assert compact_module(source) == expected


def test_what_is_no_module_is_refused() -> None:
    """A string without an end is a fault of the source: serving half of it would hide that."""
    with pytest.raises(ValueError, match="cannot be read at"):
        compact_module('const a = "no end;\n')


def test_a_style_sheet() -> None:
    """Comments and line breaks go, and spaces beside what separates."""
    source = "/* Colours.\n */\na > b, c {\n  color: red;\n\n  width: calc(1px + 2px);\n}\n"
    assert compact_style(source) == "a > b,c{color: red;width: calc(1px + 2px);}\n"


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.relative_to(DIRECTORY).as_posix())
def test_modules_of_the_page(path: Path) -> None:
    """Every module of the page is read to its end, gets smaller, and a second time stays the same."""
    source = path.read_text(encoding="utf-8")
    compacted = compact_module(source)
    assert len(compacted) < len(source)
    assert compact_module(compacted) == compacted
    assert "@param" not in compacted
