"""What the server knows of each programme, how it is loaded, and what keeps it up to date."""
