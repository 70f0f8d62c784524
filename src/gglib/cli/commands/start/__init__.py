"""Start gglib, and talk to a model."""
