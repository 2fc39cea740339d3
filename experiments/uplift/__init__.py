"""Effects of arms on members: the trial they are learned from, and how predicted effects are judged."""
