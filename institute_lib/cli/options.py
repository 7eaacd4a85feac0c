"""Options that several commands have, and what they mean."""

import argparse

LAST = "last"


def quarter_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("quarter", metavar="QUARTER", help="such as 2025Q4, or `last` for the last closed one")


def selection_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--areas", nargs="+", help="only these areas of the plan, codes or names")
    command.add_argument("--notebooks", nargs="+", help="only these notebooks of the plan")
    language_option(command)


def language_option(command: argparse.ArgumentParser, default: str | None = None) -> None:
    command.add_argument("--language", default=default, help="zh or en (default: the plan's)")


def resolved(quarter: str) -> str:
    """A quarter, `last` being the one that closed last by this computer's calendar."""
    if quarter != LAST:
        return quarter
    import pandas as pd

    return str(pd.Timestamp.now().to_period("Q") - 1)
