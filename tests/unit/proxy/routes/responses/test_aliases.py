"""The JSON form of aliases."""

import msgspec

from gglib.proxy.names.alias_table import AliasRow
from gglib.proxy.routes.responses import Alias, Aliases


def test_an_alias_has_every_field_of_its_row() -> None:
    """With empty lists, not without them."""
    row = AliasRow(name="fast", models=("gone", "a"), missing=("gone",), source="config", is_ignored=True)
    assert msgspec.json.decode(msgspec.json.encode(Aliases(aliases=(Alias.of(row),)))) == {
        "aliases": [
            {
                "name": "fast",
                "models": ["gone", "a"],
                "missing": ["gone"],
                "source": "config",
                "is_ignored": True,
            }
        ]
    }
