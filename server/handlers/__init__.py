"""What the server does, free of any transport."""
