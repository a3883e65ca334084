"""From an address, or a number of workers, to a cluster.

TLS is Dask's own: an address `tls://…`, with the certificates that Dask's configuration names (`DASK_DISTRIBUTED__COMM__TLS__…` in the
environment, or a file in ~/.config/dask).
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from latentlink.execution import at_worker
from latentlink.execution.cluster import Cluster
from latentlink.numerics.doors import integer
from latentlink.numerics.extras import import_extra


@contextmanager
def connect(cluster: str | int, patience_s: float = 8.0) -> Iterator[Cluster]:
    """Connect to a Dask cluster, or start one of this machine, for as long as the context lasts.

    Args:
        cluster: address of a scheduler, such as "tcp://host:8786" or "tls://host:8786", or a number of worker processes, each of one
            thread, that are started here and end with the context.
        patience_s: seconds within which a scheduler must answer.

    Raises:
        ValueError: it is neither, or a worker has another version of Python, latentlink, PyTorch or NumPy.
        ConnectionError: no scheduler answers at the address.
        ImportError: Dask is not installed (extra `cluster`).

    Example:
        >>> import latentlink as ll
        >>> from latentlink.execution import connect
        >>> with connect(4) as workers:  # doctest: +SKIP
        ...     rows = ll.studies.run("mine.yaml", cluster=workers)
    """
    number = int(cluster) if isinstance(cluster, str) and cluster.isdecimal() else cluster
    if not isinstance(number, int) and (not isinstance(number, str) or "://" not in number):
        raise ValueError(f"cluster must be the address of a Dask scheduler, tcp://HOST:PORT, or a number of workers, got {cluster!r}")
    dask, distributed = import_extra("dask", "cluster"), import_extra("distributed", "cluster")
    with ExitStack() as stack:
        stack.enter_context(_silent("distributed"))
        stack.enter_context(dask.config.set({"distributed.comm.timeouts.connect": patience_s}))
        address = number if isinstance(number, str) else stack.enter_context(_start(dask, distributed, integer("cluster", number)))
        client = _connect(distributed, address, patience_s)
        stack.callback(_close, client)
        found = Cluster(client, client.scheduler.address, patience_s)
        for reason in found.differences(list(found.places())).values():
            raise ValueError(reason)
        yield found


@contextmanager
def cluster_of(cluster: str | int | Cluster | None) -> Iterator[Cluster | None]:
    """Connect as `connect` does, where there is something to connect to; a cluster that is connected is left so."""
    if cluster is None or isinstance(cluster, Cluster):
        yield cluster
    else:
        with connect(cluster) as connected:
            yield connected


@contextmanager
def _start(dask: Any, distributed: Any, workers: int) -> Iterator[Any]:
    """Start workers on this machine, which nobody else can reach.

    They return freed memory to the system as any process does. Dask's default returns it at once, and a cell that makes many tensors of
    some hundred kilobytes then takes twice as long.
    """
    environment = {**dask.config.get("distributed.nanny.pre-spawn-environ")}
    environment.pop("MALLOC_TRIM_THRESHOLD_", None)
    quiet = {
        "distributed.nanny.pre-spawn-environ": environment,
        "distributed.admin.system-monitor.gil.enabled": False,
        "distributed.worker.profile.enabled": False,
    }
    with (
        dask.config.set(quiet),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            preload=[at_worker.__name__],
        ) as started,
    ):
        yield started


def _connect(distributed: Any, address: Any, patience_s: float) -> Any:
    try:
        return distributed.Client(address, timeout=patience_s, set_as_default=False)
    except OSError as error:
        reason = f"start one (dask scheduler), or check host, port and tcp:// or tls:// ({type(error).__name__})"
        raise ConnectionError(f"no Dask scheduler answers at {address} within {patience_s:g} s: {reason}") from error
    except AssertionError as error:  # Dask gives its event loop ten seconds to start
        reason = "this machine is too busy to start Dask's event loop within ten seconds: run less beside it"
        raise ConnectionError(f"cannot connect to a Dask scheduler at {address}: {reason}") from error
    except Exception as error:  # what Dask says of an address or of its configuration
        raise ValueError(f"cannot connect to a Dask scheduler at {address}: {type(error).__name__}: {error}") from error


def _close(client: Any) -> None:
    with suppress(Exception):  # a scheduler that is lost does not say farewell
        client.close(timeout=2)


@contextmanager
def _silent(name: str) -> Iterator[None]:
    """Keep Dask from telling in its own words what is told in ours."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
