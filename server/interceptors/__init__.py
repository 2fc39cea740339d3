"""What happens around every call: the request log outside, the translation of errors inside."""

from server.interceptors.errors import ErrorInterceptor
from server.interceptors.request_log import RequestLogInterceptor

__all__ = ["ErrorInterceptor", "RequestLogInterceptor"]
