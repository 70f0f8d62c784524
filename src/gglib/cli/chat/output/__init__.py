"""Formats answers while they arrive, and prints them."""
