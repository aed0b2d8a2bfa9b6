"""What is learnt: data that this project writes, and the models trained on it."""
