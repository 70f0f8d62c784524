"""What a hub has: repositories, their files, the variants of a model, and downloads."""
