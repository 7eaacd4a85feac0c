"""Jupyter kernels that fork from one process in which the heavy libraries are already imported.

A cold notebook spends most of its time importing pandas, statsmodels, geopandas and plotly. `ForkedProvisioner` is a
kernel provisioner (jupyter_client's own extension point) that forks each kernel from the standard library's forkserver
instead. Each notebook still has its own process, namespace, working folder and random state. Where fork is missing or
fails, the ordinary cold kernel starts, and the log says so.
"""

from institute_lib.kernels.forking import available, context, end_with_parent, library_changed, use_parents_forkserver
from institute_lib.kernels.provisioner import ForkedProvisioner, PrivateKernelManager, manager_class

__all__ = [
    "ForkedProvisioner",
    "PrivateKernelManager",
    "available",
    "context",
    "end_with_parent",
    "library_changed",
    "manager_class",
    "use_parents_forkserver",
]
