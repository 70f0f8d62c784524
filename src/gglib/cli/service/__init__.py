"""``gglib service``: what it asks, shows and runs."""
