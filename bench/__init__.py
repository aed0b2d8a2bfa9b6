"""Side-by-side benchmarks against other tools; `make bench` runs them."""
