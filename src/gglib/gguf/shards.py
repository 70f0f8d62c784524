"""Finds the files of a model that was split into shards, by llama.cpp's naming scheme."""

import re
from pathlib import Path

from gglib.core.errors import InvalidGgufError
from gglib.core.models import GgufFacts

# llama.cpp prints both numbers with five digits and rejects any other name for a shard.
_SHARD_NAME = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL | re.ASCII)


def find_shards(path: Path, facts: GgufFacts) -> tuple[Path, ...]:
    """Return every file of the model that ``path`` belongs to, in order; ``(path,)`` for a model in one file.

    Links are not resolved: the shards are searched beside ``path`` as given. Raises InvalidGgufError for a missing
    shard, which the message names, or if the file's name does not say which shard it is.
    """
    if facts.split_index is None or facts.split_count is None:
        return (path,)
    match = _SHARD_NAME.fullmatch(path.name)
    suffix = _suffix(facts.split_index, facts.split_count)
    if match is None or not path.name.endswith(suffix):
        raise InvalidGgufError(
            f"shard {facts.split_index + 1} of {facts.split_count}, so its name has to end in {suffix!r}"
        )
    shards = []
    for index in range(facts.split_count):
        shard = path.with_name(match["stem"] + _suffix(index, facts.split_count))
        if not _is_file(shard):
            raise InvalidGgufError(f"incomplete: the shard {shard.name!r} is missing")
        shards.append(shard)
    return tuple(shards)


def _suffix(index: int, count: int) -> str:
    return f"-{index + 1:05}-of-{count:05}.gguf"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory without search permission: the shard counts as missing
        return False
