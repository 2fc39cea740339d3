"""Member value: what each member's purchases say of her future ones, as one table."""
