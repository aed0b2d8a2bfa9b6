"""What travels: immutable records, and the one map of topics that carries them."""
