"""How long a call may take."""

import grpc

DEFAULT_TIMEOUT_S = 5.0
"""How long the log may take where the client set no deadline."""

_LONGEST_TIMEOUT_S = 3600.0
_MARGIN_S = 0.005


def seconds_left(context: grpc.ServicerContext, default: float = DEFAULT_TIMEOUT_S) -> float:
    """Return the seconds that the log may take: a little less than the client's deadline."""
    remaining = context.time_remaining()
    # Where the client set no deadline, gRPC tells some billion years rather than none.
    if remaining is None or remaining > _LONGEST_TIMEOUT_S:
        return default
    return max(remaining - _MARGIN_S, 0.0)
