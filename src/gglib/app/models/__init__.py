"""The catalogue of a home and what is done with its models: opening, searching, pulling, pruning."""
