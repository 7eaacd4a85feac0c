"""Jupyter kernels that fork from one process in which the heavy libraries are already imported.

A cold notebook spends most of its time importing pandas, statsmodels, geopandas and plotly. `ForkedProvisioner` is a
kernel provisioner (jupyter_client's own extension point) that forks each kernel from the standard library's forkserver
instead. Each notebook still has its own process, namespace, working folder and random state. Where fork is missing or
fails, the ordinary cold kernel starts, and the log says so.
"""

from typing import TYPE_CHECKING, Any

from institute_lib.kernels.forking import available, context, end_with_parent, library_changed, use_parents_forkserver

if TYPE_CHECKING:
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


def __getattr__(name: str) -> Any:
    """jupyter_client is imported when a kernel is asked for: a run in which nothing changed starts none."""
    if name in __all__:
        from institute_lib.kernels import provisioner

        globals()[name] = getattr(provisioner, name)
        return globals()[name]
    raise AttributeError(f"institute_lib.kernels has no {name!r}; it has {', '.join(__all__)}")
