"""Generated from protos/troth by `make proto`; never edited."""
