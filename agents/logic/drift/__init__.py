"""How far a model has drifted, and what follows: a request, a promotion, a rollback; pure."""
