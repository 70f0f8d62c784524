"""The engine of models that are served by a command."""
