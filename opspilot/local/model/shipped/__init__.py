"""This project's own adapter for the packaged Gemma, with the terms that it comes under."""
