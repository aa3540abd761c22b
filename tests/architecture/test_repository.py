"""The files that other people's tools read: each parses and names only what exists."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.source import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = [
    path
    for path in sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
    if "config" not in path.name
]
DEVCONTAINER = ROOT / ".devcontainer/devcontainer.json"
HOOKS = ROOT / ".pre-commit-config.yaml"
CALLERS = [*WORKFLOWS, DEVCONTAINER, HOOKS, ROOT / "CONTRIBUTING.md"]
PINNED = re.compile(r"[\w.-]+/[\w./-]+@(v\d+|[0-9a-f]{40})")
# A hook calls a target of the Makefile, or a tool of our lock where `make setup` puts it.
HOOK = re.compile(r"make (?:types|imports)|\.venv/bin/ruff .*")


def parsed(path: Path) -> Any:
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_reads_only_ends_in_time_and_pins_what_it_uses(path: Path) -> None:
    workflow = parsed(path)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]

    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 90 for job in workflow["jobs"].values())
    assert used, "at least the checkout"
    assert [action for action in used if not PINNED.fullmatch(action)] == []


@pytest.mark.parametrize("path", CALLERS, ids=lambda path: path.name)
def test_every_make_target_that_is_called_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = set(re.findall(r"\bmake ([a-z0-9-]+)", path.read_text()))

    assert called
    assert called <= targets


def test_the_devcontainer_uses_the_tools_of_our_own_environment() -> None:
    settings = parsed(DEVCONTAINER)["customizations"]["vscode"]["settings"]

    assert settings["python.defaultInterpreterPath"].endswith("/.venv/bin/python")


def test_what_is_checked_before_a_commit_comes_from_our_own_lock() -> None:
    repositories = parsed(HOOKS)["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]

    assert [repository["repo"] for repository in repositories] == ["local"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["entry"] for hook in hooks if not HOOK.fullmatch(hook["entry"])] == []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_asks_by_fields_that_github_knows(path: Path) -> None:
    form = parsed(path)
    fields = [field for field in form["body"] if field["type"] != "markdown"]

    assert set(form) == {"name", "description", "labels", "body"}
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_updates_are_looked_for_wherever_there_is_a_lock() -> None:
    updates = parsed(ROOT / ".github/dependabot.yml")["updates"]
    folders = {
        folder
        for update in updates
        if update["package-ecosystem"] == "uv"
        for folder in update["directories"]
    }
    locks = {lock.parent for lock in ROOT.glob("uv.lock")} | {
        lock.parent for lock in ROOT.glob("triton_models/*/uv.lock")
    }

    assert {(ROOT / folder.strip("/")).resolve() for folder in folders} == locks
