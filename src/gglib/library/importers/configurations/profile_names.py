"""Names for the profiles of an import. Pure."""

from gglib.core.name_rules import slugify, truncate_name

MAX_CHARACTERS = 64


def profile_name(text: str) -> str:
    """Return a name that a profile may have, from any text."""
    ascii_text = slugify(text).encode("ascii", "ignore").decode().replace(":", "-").replace("+", "-")
    name = truncate_name(ascii_text.strip("-."), MAX_CHARACTERS) or "profile"
    return f"{name}-profile" if name.casefold() == "latest" else name
