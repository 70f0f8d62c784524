"""The steps of ``gglib node``."""
