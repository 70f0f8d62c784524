"""How a chat template is known again: two models with the same one are talked to alike."""

import hashlib


def template_sha256(template: str | None) -> str | None:
    """Return the SHA-256 of a template in hex digits, of what is in the file; None where there is no template."""
    if template is None:
        return None
    return hashlib.sha256(template.encode(errors="surrogatepass")).hexdigest()
