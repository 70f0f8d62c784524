"""gglib: one OpenAI-compatible address in front of every GGUF model on a machine."""

__version__ = "0.1.0"
