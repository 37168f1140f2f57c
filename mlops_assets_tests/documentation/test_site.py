"""The site builds strictly and without a network, leads nowhere that is not there, and asks nothing of others."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from mlops_assets_tests.end_to_end.dagster_ui import CHROMIUM, browser_page

ROOT = Path(__file__).resolve().parents[2]
NO_NETWORK = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}
"""What a browser fetches by itself when it shows a page."""


@dataclass
class Page(HTMLParser):
    """What one built page links to, what it loads, and where one can be led to in it."""

    path: Path
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if tag in LOADED and LOADED[tag] in told and told.get("rel") != "canonical":
            self.loads.append(told[LOADED[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=folder,
        env=NO_NETWORK,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page of it."""
    return {path: Page(path=path) for path in sorted(site.rglob("*.html"))}


def test_every_page_is_built_and_found_by_the_navigation() -> None:
    navigation = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}

    assert set(re.findall(r"[\w/-]+\.md", str(navigation))) == written


def test_every_link_and_anchor_inside_leads_somewhere(pages: dict[Path, Page], site: Path) -> None:
    told = [(page, link) for page in pages.values() if page.path.name != "404.html" for link in page.links]
    inside = [(page, urlsplit(link)) for page, link in told if not urlsplit(link).scheme]

    assert inside
    assert [
        f"{page.path.relative_to(site)}: {link.geturl()}" for page, link in inside if not _leads(link, page, pages)
    ] == []


def test_no_page_asks_the_network_for_anything(pages: dict[Path, Page], site: Path) -> None:
    elsewhere = [
        (str(page.path.relative_to(site)), each) for page in pages.values() for each in page.loads if "//" in each
    ]

    assert elsewhere == []
    sheets = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']*", sheets) == []


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="needs Debian's chromium")
def test_a_browser_that_reads_the_site_asks_nobody_else(site: Path, tmp_path: Path) -> None:
    asked: list[str] = []
    with browser_page(seen=tmp_path / "index.png") as browser:
        browser.on("request", lambda request: asked.append(request.url))
        for name in ("reference/cli", "monitoring", "."):
            browser.goto((site / name / "index.html").as_uri())

    assert asked
    assert [url for url in asked if urlsplit(url).scheme not in ("file", "data", "blob")] == []


def _leads(link, page: Page, pages: dict[Path, Page]) -> bool:  # type: ignore[no-untyped-def]
    """Whether a link without scheme leads to a file of the site and an anchor in it."""
    target = (page.path.parent / unquote(link.path)).resolve() if link.path else page.path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return False
    return not link.fragment or target not in pages or unquote(link.fragment) in pages[target].anchors
