"""Swap policies compared in virtual time: the shipped scheduler and others, on the same traces."""
