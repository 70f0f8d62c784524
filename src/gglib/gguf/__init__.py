"""A bounded reader of GGUF headers: reads what a model file says about itself, without its weights."""

from gglib.gguf.reader import GgufModel, read_files, read_gguf, read_model, read_partial_facts
from gglib.gguf.shards import find_shards

__all__ = ["GgufModel", "find_shards", "read_files", "read_gguf", "read_model", "read_partial_facts"]
