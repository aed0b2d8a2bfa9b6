"""How an incident is looked into: tools, budget, what they show, what follows from it; pure."""
