"""What people say of verdicts: who said it, what it means, what may be learnt from it; pure."""
