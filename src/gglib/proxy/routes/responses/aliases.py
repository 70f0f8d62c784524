"""Responses about aliases. Values only."""

from dataclasses import dataclass
from typing import Annotated, Self

from msgspec import Meta

from gglib.proxy.names.alias_table import AliasRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """A further name of models, or a pattern for names."""

    name: Annotated[str, Meta(description="In a pattern `*` matches any run of characters.")]
    models: Annotated[
        tuple[str, ...],
        Meta(
            description="In the order of preference: the first that can run serves a request. Empty for the built-in "
            "alias, whose model is the one in memory."
        ),
    ]
    missing: Annotated[
        tuple[str, ...], Meta(description="Those of `models` that are not in the catalogue, and passed over.")
    ]
    source: Annotated[
        str,
        Meta(
            description="`catalogue`: an alias of the model; `config`: the setting `aliases`; or `built-in`."
        ),
    ]
    is_ignored: Annotated[
        bool, Meta(description="Whether the catalogue has the name, which takes precedence.")
    ]

    @classmethod
    def of(cls, row: AliasRow) -> Self:
        """Return the JSON form of an alias."""
        return cls(
            name=row.name,
            models=row.models,
            missing=row.missing,
            source=row.source,
            is_ignored=row.is_ignored,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """All aliases."""

    aliases: Annotated[
        tuple[Alias, ...],
        Meta(description="Those of the models, those of the settings in their order, then the built-in one."),
    ]
