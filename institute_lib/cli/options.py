"""Options that several commands have, and what they mean."""

import argparse


def quarter_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("quarter", metavar="QUARTER", help="such as 2025Q4, or `last` for the last closed one")


def selection_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--areas", nargs="+", help="only these areas of the plan, codes or names")
    command.add_argument("--notebooks", nargs="+", help="only these notebooks of the plan")
    language_option(command)


def language_option(command: argparse.ArgumentParser, default: str | None = None) -> None:
    command.add_argument("--language", default=default, help="zh or en (default: the plan's)")


def resolved(quarter: str) -> str:
    """A quarter as typed, or the one that `last` stands for."""
    from institute_lib.runs.plan import resolved_quarter

    return resolved_quarter(quarter)
