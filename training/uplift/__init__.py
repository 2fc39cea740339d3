"""Action models: what each of several arms changes for each member, learned from a trial."""
