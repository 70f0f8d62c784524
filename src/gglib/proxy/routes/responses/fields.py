"""Annotated types for fields of several responses. Values only."""

from typing import Annotated

from msgspec import Meta

Bytes = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Sha256 = Annotated[str | None, Meta(description="SHA-256 of the content, in hexadecimal.")]
UnixTime = Annotated[int, Meta(description="Unix time in seconds.")]
OptionalUnixTime = Annotated[int | None, Meta(description="Unix time in seconds.")]
Tokens = Annotated[int | None, Meta(description="In tokens.")]
Commit = Annotated[str | None, Meta(description="The commit.")]
