"""Proofs by killing and freezing: run the pipeline, hurt it, compare what comes out."""
