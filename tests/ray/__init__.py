"""Tests with a real Ray cluster on this machine: ``make test-ray``."""
