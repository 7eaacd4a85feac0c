"""The brief people read: from an executed notebook to one HTML file that opens with no network."""

from institute_lib.brief.export import SHARED_NAME, export, write_plotly

__all__ = ["SHARED_NAME", "export", "write_plotly"]
