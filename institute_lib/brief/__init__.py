"""The brief people read: from an executed notebook to one HTML file that opens with no network."""

from institute_lib.brief.blocks import methods, opening, sources
from institute_lib.brief.export import export, write_plotly

__all__ = ["export", "methods", "opening", "sources", "write_plotly"]
