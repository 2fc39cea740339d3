"""Off-policy evaluation: what a policy would earn, from the log of another one that drew with known probabilities."""
