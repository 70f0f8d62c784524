"""The routes of OpenAI's API that are more than a forward."""
