"""Between messages of the wire and values of the domain; one module for each service."""
