"""One name, one thing: a public class name exists once in the workspace."""

import ast
from collections import Counter

from tests.support.source import modules_of

ONE_A_SERVICE = {"Settings"}


def test_a_public_class_name_exists_once_in_the_workspace() -> None:
    names = Counter(
        node.name
        for module in modules_of()
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    shared = {name for name, count in names.items() if count > 1}
    assert shared - ONE_A_SERVICE == set()
