"""Prompts: what a model is asked, with hostile text kept apart as data."""
