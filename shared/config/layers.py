"""Settings from one place each, and laying them over each other without forgetting whose is whose."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.config.variables import Path, folded

Tree = dict[str, Any]


@dataclass(slots=True)
class Layer:
    """Settings as a tree of plain values, and the source of each leaf."""

    tree: Tree = field(default_factory=dict)
    sources: dict[Path, str] = field(default_factory=dict)
    folds_names: bool = False
    """Names came through variables, so ``my_provider`` may mean ``my-provider``."""

    @classmethod
    def of(cls, tree: Tree, source: str) -> "Layer":
        """Make a layer whose leaves all have one source."""
        layer = cls()
        layer.lay(cls(tree, dict.fromkeys(_leaves(tree), source)))
        return layer

    def put(self, path: Path, value: Any, source: str) -> None:
        """Set what is at a path; a group is merged into what is there."""
        tree: Any = value
        for name in reversed(path):
            tree = {name: tree}
        self.lay(Layer.of(tree, source) if isinstance(tree, dict) else Layer())

    def lay(self, above: "Layer") -> None:
        """Let another layer win wherever it says something."""
        self._merge(self.tree, above.tree, above, here=(), there=())

    def source_of(self, path: Path) -> str | None:
        """Say where a setting came from; for a group, where the first of its members did."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.sources:
                return self.sources[path[:length]]
        return next((source for leaf, source in self.sources.items() if leaf[: len(path)] == path), None)

    def _merge(self, below: Tree, tree: Tree, above: "Layer", *, here: Path, there: Path) -> None:
        for key, value in tree.items():
            name = _existing(below, key) if above.folds_names else key
            mine, theirs = (*here, name), (*there, key)
            if isinstance(value, dict) and value:
                if not isinstance(below.get(name), dict):
                    self._forget(mine)
                    below[name] = {}
                self.sources.pop(mine, None)
                self._merge(below[name], value, above, here=mine, there=theirs)
            elif not (value == {} and isinstance(below.get(name), dict)):
                self._forget(mine)
                below[name] = value
                self.sources[mine] = above.sources[theirs]

    def _forget(self, path: Path) -> None:
        for leaf in [leaf for leaf in self.sources if leaf[: len(path)] == path]:
            del self.sources[leaf]


def laid_over(layers: Iterable[Layer]) -> Layer:
    """Lay the layers over each other; the first is the lowest."""
    whole = Layer()
    for layer in layers:
        whole.lay(layer)
    return whole


def _existing(below: Mapping[str, Any], name: str) -> str:
    if name in below:
        return name
    return next((known for known in below if folded(known) == name), name)


def _leaves(tree: Tree, path: Path = ()) -> Iterator[Path]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name)
