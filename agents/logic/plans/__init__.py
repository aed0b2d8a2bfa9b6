"""Plans: runbooks, found by symptoms, adapted to an incident's facts."""
