"""A YAML loader that minds a name written twice; PyYAML's own keeps the last without a word."""

from collections.abc import Hashable
from typing import Any

import yaml


class UniqueKeyLoader(yaml.SafeLoader):
    """Builds plain values only, and refuses a mapping that has a name twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping.

        Raises:
            yaml.constructor.ConstructorError: A name is there twice, or cannot be a name.
        """
        seen: set[str] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.tag != "tag:yaml.org,2002:merge":
                if name.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, "named twice", name.start_mark)
                seen.add(name.value)
        return super().construct_mapping(node, deep=deep)
