"""The routes of Ollama's API; ``proxy.dialects.ollama`` translates their bodies."""

from gglib.proxy.routes.ollama import embeddings, generation, listing, management, pulling

OPERATIONS = (
    *listing.OPERATIONS,
    *generation.OPERATIONS,
    *embeddings.OPERATIONS,
    *pulling.OPERATIONS,
    *management.OPERATIONS,
)
"""All operations below ``/api``, in the order of the documentation."""
