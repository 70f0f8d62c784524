"""Tunes the engine arguments of a model: measures candidates on this machine and keeps what is clearly faster."""
