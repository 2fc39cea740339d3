"""Clients of a running server, for what the command line sends it: catalogues, members, campaigns."""

import os

# Before gRPC is loaded: its own complaints about a server that is gone would stand beside our sentence.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
