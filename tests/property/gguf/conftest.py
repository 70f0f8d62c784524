"""The fixtures that make GGUF files."""

from tests.support.gguf_files import file_of, raw

__all__ = ["file_of", "raw"]
