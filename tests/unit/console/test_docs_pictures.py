"""The docs show each page in both themes, with words for who sees no picture."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.integration.console.pictures import FOLDER, MOST_BYTES, PAGES, THEMES, WIDTH
from tests.support.source import ROOT

DOCS = (ROOT / "docs/console.md").read_text()
SHOWN = {
    name: words for words, name in re.findall(r"!\[([^\]]+)\]\(pictures/console/([^)]+)\)", DOCS)
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("page", PAGES)
def test_each_page_has_a_picture_in_the_docs(page, theme):
    file = FOLDER / f"{page}-{theme}.png"
    assert file.stat().st_size <= MOST_BYTES
    with Image.open(file) as image:
        grey = np.asarray(image.convert("L"))
    assert grey.shape[1] == WIDTH
    assert (np.median(grey) < 128) == (theme == "dark")
    assert SHOWN[file.name].lower().startswith(page)
    assert len(SHOWN[file.name]) > 80, "who sees no picture reads what is on it"


def test_no_picture_is_left_over():
    names = {f"{page}-{theme}.png" for page in PAGES for theme in THEMES}
    assert {file.name for file in FOLDER.iterdir()} == names == set(SHOWN)
    assert "simulated" in DOCS
