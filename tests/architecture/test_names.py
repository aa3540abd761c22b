"""Names that say what they name: a public class once in the workspace, a verb with its object."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

from tests.support.source import ROOT, modules_of

GLOSSARY = ROOT / "docs/glossary.md"

ONE_A_SERVICE = {"Settings"}
# Verbs that any class could have: a search for one of them finds everything, and so nothing.
BARE_VERBS = {"add", "begin", "execute", "handle", "process", "run", "score"}
COMMANDS = {
    "meltwatch_local_cluster.command.run",  # ``meltwatch run``
    "meltwatch_trainer.__main__.score",  # ``meltwatch-trainer score``
}


def test_a_public_class_name_exists_once_in_the_workspace() -> None:
    names = Counter(
        node.name
        for module in modules_of()
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    shared = {name for name, count in names.items() if count > 1}
    assert shared - ONE_A_SERVICE == set()


def test_a_verb_says_what_it_is_done_to() -> None:
    bare = {
        name
        for module in modules_of()
        for name in functions_in(module.tree, module.dotted)
        if name.rpartition(".")[2] in BARE_VERBS
    }
    assert bare == COMMANDS


def functions_in(node: ast.Module | ast.ClassDef, name: str) -> Iterator[str]:
    """Give the full names of the functions of a module and of the methods of its classes."""
    for each in node.body:
        if isinstance(each, ast.ClassDef):
            yield from functions_in(each, f"{name}.{each.name}")
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}.{each.name}"


def test_the_glossary_explains_words_that_the_code_uses() -> None:
    code = " ".join(module.text for module in modules_of())
    spoken = spoken_words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code))
    rows = re.findall(r"^\| (.+?) \|", GLOSSARY.read_text(), flags=re.MULTILINE)[1:]
    words = [word for row in rows for word in row.split(",")]

    assert words
    assert [word for word in words if spoken_words(word) not in spoken] == []


def spoken_words(text: str) -> str:
    """Return a text in small letters, with a blank before each word and none else."""
    return " " + re.sub(r"[\W_]+", " ", text).lower().strip()
