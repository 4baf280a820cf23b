"""Plans: the fewest scenarios that exercise a whole endpoint, with the proof of what cannot be exercised."""
