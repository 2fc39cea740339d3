"""Member value: what each member's purchases say of their future ones, as one table."""
