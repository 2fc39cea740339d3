"""The command `troth`: parses, calls one function of a package below, prints."""
