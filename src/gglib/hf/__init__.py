"""Search and download from the Hugging Face hub; implements ``ModelHubPort``."""
