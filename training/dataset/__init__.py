"""What adapters are trained and tested on: examples made of incidents, split so nothing leaks."""
