"""The value of policies from tables: which policy is meant, and models of rewards for doubly robust estimates."""
