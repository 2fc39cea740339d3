"""The event log: events as values, their rows, frames for analysis, and attribution."""
