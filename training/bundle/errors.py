"""The one error of bundles."""


class BundleError(Exception):
    """A bundle cannot be written or used.

    It is no domain error, because the bundle package stands alone (numpy and the standard library).

    Attributes:
        message: One sentence that names the bundle and what is wrong with it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
