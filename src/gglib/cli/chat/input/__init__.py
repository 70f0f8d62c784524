"""What the user gives a chat: prompts from the editor or stdin, images, keys."""
