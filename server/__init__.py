"""The gRPC server: handlers, decision path, storage and adapters."""
