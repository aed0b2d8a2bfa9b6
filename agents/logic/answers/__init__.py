"""Answers: what a model said, validated, cleaned, cross-checked, made into records."""
