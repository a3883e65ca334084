from .cluster import Cluster, ClusterLost
from .connecting import connect
from .executor import Ended, Executor, in_order
from .local import Threads

__all__ = ["Cluster", "ClusterLost", "Ended", "Executor", "Threads", "connect", "in_order"]
