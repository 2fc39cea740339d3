"""Generated from protos/troth/v1 by `make proto`; never edited."""
