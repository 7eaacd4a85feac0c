"""The brief people read: from an executed notebook to one HTML file that opens with no network, and to Word."""

from institute_lib.brief.export import SHARED_NAME, export, write_plotly
from institute_lib.brief.word import export_word

__all__ = ["SHARED_NAME", "export", "export_word", "write_plotly"]
