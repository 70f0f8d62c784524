"""How chat templates are compared."""

import hashlib

from gglib.core.chat_templates import template_sha256


def test_templates_are_compared_by_the_hash_of_their_bytes() -> None:
    """The hash of what is in the file: UTF-8, without any normalisation."""
    template = "{{ messages }} \u00e9\r\n"
    assert template_sha256(template) == hashlib.sha256(template.encode()).hexdigest()
    assert template_sha256("e\u0301") != template_sha256("\u00e9")


def test_a_template_that_is_not_utf_8_has_a_hash() -> None:
    """A header's bytes that are not UTF-8 are surrogates in the text."""
    assert template_sha256("\udcff") not in {None, template_sha256(""), template_sha256("\udcfe")}


def test_a_model_without_a_template_has_no_hash() -> None:
    """An empty template is another thing than none."""
    assert template_sha256(None) is None
    assert template_sha256("") == hashlib.sha256(b"").hexdigest()
