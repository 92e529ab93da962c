"""Where the work of evaluations and searches goes."""

from skspeech.exceptions import MissingExtraError

__all__ = ["register_dask"]


def register_dask() -> None:
    """Register ``"skspeech-dask"``, a joblib backend under which a killed worker ends no search.

    It is joblib's own, ``"dask"``, but for one thing: arrays are sent with each call. joblib leaves
    one copy of them on one worker, and a search whose copy dies with its worker ends in a
    ``FutureCancelledError``. With this one dask gives the work to another worker, and the scores
    are the same. Recordings in memory are sent more often; those read on access are not sent.

    Raises
    ------
    MissingExtraError
        If dask is not there.

    Examples
    --------
    ::

        from dask.distributed import Client
        from joblib import parallel_config

        register_dask()
        with Client("tcp://127.0.0.1:8786"), parallel_config("skspeech-dask"):
            search.fit(X, y, groups=speakers)
    """
    from joblib import register_parallel_backend

    try:
        import distributed  # noqa: F401  (joblib would only miss it in the first call)
    except ImportError as error:
        raise MissingExtraError("register_dask", "distributed", "dask") from error

    from skspeech.model_selection._dask import ResendingBackend

    register_parallel_backend("skspeech-dask", ResendingBackend)
