"""An example of real use for the pictures of the page: models, a hub, a machine, a history and requests."""
