"""The domain: values, errors and rules. Standard library only; no I/O, no clock, no logging."""
