"""What adapters are trained on: examples made of templates and of corrected verdicts."""
