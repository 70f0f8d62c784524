"""What chats keep in the home: earlier prompts, and saved conversations."""
