"""Commands that start gglib, or chat with a model."""
