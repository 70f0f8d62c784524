"""Swap policies compared in virtual time: the scheduler that ships beside others, on the same traces."""
