"""Resolves the names in requests: models, alias lists and patterns, ``model:profile``, and the default model."""
