"""Pure domain of experimentation: definitions, assignment, event schemas, statistics and reports."""
