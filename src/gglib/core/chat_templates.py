"""Identifies chat templates by hash: models with the same template take the same prompt format."""

import hashlib


def template_sha256(template: str | None) -> str | None:
    """Return the SHA-256 of a template as in the file, in hex digits; None if there is no template."""
    if template is None:
        return None
    return hashlib.sha256(template.encode(errors="surrogatepass")).hexdigest()
