"""Reads the configuration files of other programs into gglib's terms. Runs nothing of them."""
