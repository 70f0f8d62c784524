"""The fields of a configuration that are not imported."""

from gglib.library.importers.configurations.files.field_rules import becomes, lacks, leftovers_of
from gglib.library.importers.configurations.files.yaml_files import read_yaml
from gglib.library.importers.configurations.plan import Leftover

RULES = {
    "taken": becomes("a model"),
    "lost": lacks("it is lost", "'gglib set {model} --ctx {value}'"),
    "usual": lacks("it is lost", default=False),
}


def test_only_fields_without_counterpart_are_listed() -> None:
    """With the reason and what to use instead; the default of a field, and null, change nothing."""
    fields = read_yaml("taken: 1\nlost: 5\nusual: true\n", "c.yaml")
    assert leftovers_of(fields, RULES, model="m") == [
        Leftover("lost", "it is lost", "'gglib set m --ctx 5'"),
        Leftover("usual", "it is lost"),
    ]
    assert leftovers_of(read_yaml("usual: false\nlost: ~\n", "c.yaml"), RULES) == []


def test_an_unknown_field_is_listed() -> None:
    """It may be one of a newer version."""
    assert leftovers_of(read_yaml("newer: 1", "c.yaml"), RULES) == [
        Leftover("newer", "it is an unknown field")
    ]
