"""Postpones the import of submodules that a package pulls in and we hardly ever use.

By Python's own means (`importlib.util.LazyLoader`): the submodule is there, and loads when it is first used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType


@contextmanager
def postponed(modules: Iterable[str]) -> Iterator[None]:
    """Postpone, within the block, the import of `modules` (full names): each costs nothing until it is used.

    Modules that are imported already stay as they are.
    """
    finder = _Finder(frozenset(modules))
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def __init__(self, modules: frozenset[str]) -> None:
        self._modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the usual specification, with a loader that waits; None for all other modules."""
        if fullname not in self._modules:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
