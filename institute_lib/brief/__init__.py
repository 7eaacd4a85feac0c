"""The brief people read: from an executed notebook to one HTML file that opens with no network."""

from institute_lib.brief.blocks import methods, opening, sources
from institute_lib.brief.export import SHARED_NAME, export, in_one_file, write_plotly
from institute_lib.brief.word import export_word

__all__ = ["SHARED_NAME", "export", "export_word", "in_one_file", "methods", "opening", "sources", "write_plotly"]
