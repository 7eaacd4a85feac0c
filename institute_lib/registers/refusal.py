"""The one exception by which a file or a sheet says that it cannot be read."""


class Refused(Exception):
    """A whole file or sheet that cannot be read; `rule` is a key of the room's texts."""

    def __init__(self, rule: str, *, sheet: str | None = None, row: int | None = None, detail: str = ""):
        super().__init__(rule)
        self.rule, self.sheet, self.row, self.detail = rule, sheet, row, detail
