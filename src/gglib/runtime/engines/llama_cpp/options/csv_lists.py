"""Lists in a value of an option, separated by commas, as llama.cpp splits them (``parse_csv_row``). Pure."""

from collections.abc import Iterable


def split_csv(text: str) -> list[str]:
    """Return the items; those with a comma or a quote are in double quotes."""
    import csv  # noqa: PLC0415 - most launches have no list

    return [item for row in csv.reader([text]) for item in row]


def join_csv(items: Iterable[str]) -> str:
    """Return the value for the items."""
    return ",".join(_quoted(item) for item in items)


def scaled_files(text: str) -> list[tuple[str, float]]:
    """Return the pairs of ``PATH:SCALE,…``. Raises ``ValueError`` for an item without a scale."""
    return [_scaled(item) for item in split_csv(text)]


def _scaled(item: str) -> tuple[str, float]:
    path, colon, scale = item.rpartition(":")
    if not colon or not path:
        raise ValueError(f"'{item}' has no scale")
    return path, float(scale)


def _quoted(item: str) -> str:
    return '"' + item.replace('"', '""') + '"' if "," in item or '"' in item else item
