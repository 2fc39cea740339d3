"""Assignment: who is in which variant, a pure function of the compiled plan."""
