"""The variants in a repository."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.hub.repository import HubFile
from gglib.core.memory import Fit
from gglib.library.variants.choose import choose_variant
from gglib.library.variants.find import find_variants
from gglib.library.variants.pull_target import read_target

GB = 10**9


def files(*names: str, size_bytes: int = GB) -> list[HubFile]:
    """Return files of one size."""
    return [HubFile(name=name, size_bytes=size_bytes) for name in names]


def test_models_come_smallest_first_and_companions_apart() -> None:
    """Only whole models are variants; projectors are listed separately, the rest is left out."""
    found = find_variants(
        [
            HubFile(name="m-Q8_0.gguf", size_bytes=8),
            HubFile(name="m-Q4_0.gguf", size_bytes=4),
            *files("mmproj-F16.gguf", "m.imatrix.gguf", "mtp-m.gguf", "my-lora-f16.gguf", "README.md"),
        ]
    )
    assert [variant.quantization for variant in found.models] == ["Q4_0", "Q8_0"]
    assert [file.name for file in found.projectors] == ["mmproj-F16.gguf"]
    assert not found.incomplete
    assert not found.unsafe


def test_shards_are_one_model_in_order() -> None:
    """Whatever the order of the list."""
    names = [f"Q4_K_M/m-Q4_K_M-0000{number}-of-00003.gguf" for number in (3, 1, 2)]
    (variant,) = find_variants(files(*names)).models
    assert [file.name for file in variant.files] == sorted(names)
    assert variant.quantization == "Q4_K_M"


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_model_without_one_of_its_shards_is_not_on_offer(missing: int) -> None:
    """It is named as incomplete; its other shards are no models."""
    names = [f"m-Q8_0-0000{number}-of-00003.gguf" for number in (1, 2, 3) if number != missing]
    found = find_variants(files(*names, "m-Q4_0.gguf"))
    assert [variant.label for variant in found.models] == ["Q4_0"]
    assert found.incomplete == ("m-Q8_0",)


def test_shards_are_numbered_from_one() -> None:
    """As many as there should be are not enough."""
    names = [f"m-Q8_0-0000{number}-of-00003.gguf" for number in (0, 1, 2)]
    assert find_variants(files(*names)).incomplete == ("m-Q8_0",)


def test_two_ways_to_split_one_model_are_not_mixed() -> None:
    """Shards belong together when stem and count are the same."""
    found = find_variants(files("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00003.gguf"))
    assert not found.models
    assert found.incomplete == ("m-Q8_0", "m-Q8_0")


def test_models_of_one_quantization_are_not_unique() -> None:
    """Several sizes in one repository, or one in several folders; spellings do not tell them apart."""
    found = find_variants(files("a/m-1B-Q4_K_M.gguf", "b/m-3B-q4_k_m.gguf", "m-Q8_0.gguf"))
    assert {variant.stem: variant.is_unique for variant in found.models} == {
        "a/m-1B-Q4_K_M": False,
        "b/m-3B-q4_k_m": False,
        "m-Q8_0": True,
    }


def test_models_without_a_quantization_are_unique() -> None:
    """They are called by their file names, however many there are."""
    found = find_variants(files("m-APEX-Compact.gguf", "m-APEX-Quality.gguf"))
    assert [(variant.quantization, variant.is_unique) for variant in found.models] == [(None, True)] * 2


def test_pieces_are_named_and_not_offered() -> None:
    """What has to be joined first is no model yet."""
    found = find_variants(files("m.Q6_K.gguf.part1of2", "m.Q6_K.gguf.part2of2"))
    assert not found.models
    assert len(found.pieces) == 2


def test_names_that_may_not_be_stored_are_kept_apart() -> None:
    """So is the second of two names that some systems take for one."""
    found = find_variants(files("../m-Q8_0.gguf", "M-Q4_0.gguf", "m-q4_0.gguf", "m-Q5_0.gguf"))
    assert [variant.first.name for variant in found.models] == ["M-Q4_0.gguf", "m-Q5_0.gguf"]
    assert set(found.unsafe) == {"../m-Q8_0.gguf", "m-q4_0.gguf"}


@given(
    st.lists(
        st.sampled_from(
            [
                *(f"m-{label}.gguf" for label in ("IQ2_M", "Q4_K_S", "Q4_K_M", "Q8_0", "F16")),
                *(f"d/m-Q4_K_M-0000{number}-of-00003.gguf" for number in range(5)),
                *(
                    "e/m-Q8_0.gguf",
                    "mmproj-F16.gguf",
                    "m.gguf",
                    "../x.gguf",
                    "README.md",
                    "x.gguf.part1of2",
                ),
            ]
        ),
        unique=True,
    )
)
def test_every_file_is_in_one_place_and_every_offer_can_be_typed(names: list[str]) -> None:
    """Whatever a repository has: no file is in two variants, and what a variant says to type means that variant."""
    found = find_variants(files(*names))
    listed = [file.name for variant in found.models for file in variant.files]
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(names)
    assert len({variant.label for variant in found.models}) == len(found.models)
    for variant in found.models:
        target = read_target(variant.target("o/n"))
        assert choose_variant(found, target=target, fit_of=lambda _: Fit.TOO_LARGE) == variant
