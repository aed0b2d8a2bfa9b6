"""Sixty incidents that nobody could mistake: what a model may never unlearn."""
