"""The fixtures that make GGUF files."""

from tests.support.gguf_files import file_of, raw, write_model

__all__ = ["file_of", "raw", "write_model"]
