"""joblib's backend for dask, without what is lost with a worker. Imports dask at its top."""

from typing import Any

from joblib._dask import DaskDistributedBackend

__all__ = ["ResendingBackend"]


class ResendingBackend(DaskDistributedBackend):
    """Sends arrays with each call.

    joblib's own hands an array above 1,000 bytes to one worker once, from which the others take it.
    If that worker is killed before they have, dask cannot make it again, and the call
    ends in a ``FutureCancelledError``.
    """

    def start_call(self) -> None:
        """Begin a call that remembers no array."""
        super().start_call()
        del self.call_data_futures  # joblib then sends arguments as they are

    def stop_call(self) -> None:
        """End it."""
        self.call_data_futures: dict[Any, Any] = {}
        super().stop_call()

    def __reduce__(self) -> tuple[type, tuple]:
        return type(self), ()

    def get_nested_backend(self) -> tuple["ResendingBackend", int]:
        """Return what a search inside an evaluation uses."""
        return type(self)(client=self.client), -1
