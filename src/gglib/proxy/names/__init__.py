"""Resolves the names in requests: models, alias lists, ``model:profile``, and the default model."""
