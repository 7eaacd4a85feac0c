"""The project's tests: a package, because installed packages bring a `tests` of their own, found before a folder."""
