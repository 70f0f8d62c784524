"""The hooks of MkDocs: adds the pages that are made from the code and those of the repository, and writes links."""

import importlib
from functools import cache
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from scripts.docs_site.cli_reference import cli_reference
from scripts.docs_site.http_reference import http_reference
from scripts.docs_site.python_reference import python_reference
from scripts.docs_site.repository_pages import repository_path, site_path, title_of_page, with_site_links

from gglib.cli.app import cli
from gglib.core.version import __version__
from gglib.proxy.docs.openapi import document
from gglib.proxy.routes.table import OPERATIONS

ROOT = Path(__file__).resolve().parents[2]
MERMAID = ROOT / "build" / "mermaid.min.js"
"""What draws diagrams, if it could be fetched (``scripts.docs_site.fetch_mermaid``)."""
_MERMAID_URI = "site/mermaid.min.js"
_REPOSITORY_FILES = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "bench/results/*",
    "src/gglib/*/README.md",
)
_PACKAGES = (
    ("Embed gglib", "gglib"),
    ("Ports", "gglib.core.ports"),
    ("For tests", "gglib.testing"),
)


@cache
def generated_pages() -> dict[str, str]:
    """Return the pages that are made from the code, by their paths on the site."""
    packages = [(title, name, importlib.import_module(name).__all__) for title, name in _PACKAGES]
    specs = (operation.spec for operation in OPERATIONS)
    return {
        "reference/commands.md": cli_reference(cli),
        "reference/http.md": http_reference(document(specs, version=__version__)),
        "reference/python.md": python_reference(packages),
    }


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what is not in ``docs/``."""
    for path, content in generated_pages().items():
        files.append(File.generated(config, path, content=content))
    for pattern in _REPOSITORY_FILES:
        for found in sorted(ROOT.glob(pattern)):
            if (uri := site_path(found.relative_to(ROOT).as_posix())) is not None:
                files.append(File.generated(config, uri, abs_src_path=str(found)))
    if MERMAID.is_file():
        files.append(File.generated(config, _MERMAID_URI, abs_src_path=str(MERMAID)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page with the site's links; Markdown in ``<details>`` is Markdown, as code hosts have it."""
    del config
    uri = page.file.src_uri
    if uri in generated_pages():
        return markdown

    def title_of(wanted: str) -> str | None:
        file = files.get_file_from_path(wanted)
        if file is None or not file.is_documentation_page():
            return None if file is None else ""
        return title_of_page(file.content_string)

    return with_site_links(markdown, repository_path(uri), title_of).replace(
        "<details>", '<details markdown="1">'
    )


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page with the script that draws its diagrams; without it they are shown as text."""
    del config
    if 'class="mermaid"' not in html:
        return html
    if files.get_file_from_path(_MERMAID_URI) is None:
        return html.replace('class="mermaid"', 'class="diagram-source"')
    return f'<script src="{get_relative_url(_MERMAID_URI, page.url)}"></script>\n{html}'
