"""What a repository offers, what a user names of it, and which is taken. Pure."""
