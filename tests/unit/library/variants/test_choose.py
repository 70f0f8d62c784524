"""The variants in a repository, and the choice among them."""

from collections.abc import Callable, Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.errors import UnsafeNameError, VariantChoiceError
from gglib.core.hub.repository import HubFile
from gglib.core.hub.variants import Variant, Variants
from gglib.core.memory import Fit
from gglib.library.variants.choose import choose_projector, choose_variant, no_variant
from gglib.library.variants.find import find_variants
from gglib.library.variants.pull_target import PullTarget, read_target

GB = 10**9
LADDER = {
    "IQ2_M": 3 * GB,
    "Q2_K": 32 * GB // 10,
    "Q3_K_S": 36 * GB // 10,
    "Q3_K_M": 4 * GB,
    "IQ4_XS": 45 * GB // 10,
    "Q4_K_S": 47 * GB // 10,
    "Q4_K_M": 49 * GB // 10,
    "Q5_K_M": 57 * GB // 10,
    "Q6_K": 66 * GB // 10,
    "Q8_0": 85 * GB // 10,
    "F16": 16 * GB,
}


def files(*names: str, size_bytes: int = GB) -> list[HubFile]:
    """Return files of one size."""
    return [HubFile(name=name, size_bytes=size_bytes) for name in names]


def of(sizes: Mapping[str, int]) -> Variants:
    """Return the variants of a repository of one model, by quantization."""
    return find_variants(HubFile(name=f"m-{label}.gguf", size_bytes=size) for label, size in sizes.items())


def room_for(fits_bytes: int, tight_bytes: int | None = None) -> Callable[[Variant], Fit]:
    """Return the judgement of a machine on which files up to a size fit well, and up to another one tightly."""

    def fit_of(variant: Variant) -> Fit:
        if variant.size_bytes <= fits_bytes:
            return Fit.FITS
        return Fit.TIGHT if variant.size_bytes <= (tight_bytes or 0) else Fit.TOO_LARGE

    return fit_of


def best(variants: Variants, fit_of: Callable[[Variant], Fit]) -> str:
    """Return the suggested repository of a missing one."""
    return choose_variant(variants, target=PullTarget(repo="o/n"), fit_of=fit_of).label


def chosen(variants: Variants, text: str) -> str:
    """Return the first file that a target selects, on a machine without memory."""
    return choose_variant(variants, target=read_target(text), fit_of=room_for(0)).first.name


def refused(variants: Variants, text: str, fit_of: Callable[[Variant], Fit] | None = None) -> str:
    """Return the sentence of the refusal."""
    with pytest.raises(VariantChoiceError) as refusal:
        choose_variant(variants, target=read_target(text), fit_of=fit_of or room_for(100 * GB))
    return str(refusal.value)


class TestNaming:
    @pytest.mark.parametrize("text", ["o/n:Q4_K_M", "o/n:q4_k_m", "o/n:q4-k-m", "o/n:Q4.K.M", "o/n:m-Q4_K_M"])
    def test_quantization_is_found_in_any_spelling(self, text: str) -> None:
        """Case and separators do not count; a stem is accepted; memory does not matter."""
        assert chosen(of(LADDER), text) == "m-Q4_K_M.gguf"

    def test_dynamic_quantization_is_selected_if_it_is_the_only_one(self) -> None:
        """The plain one has precedence."""
        assert chosen(find_variants(files("m-UD-Q4_K_XL.gguf")), "o/n:Q4_K_XL") == "m-UD-Q4_K_XL.gguf"
        both = find_variants(files("m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"))
        assert chosen(both, "o/n:Q4_K_M") == "m-Q4_K_M.gguf"
        assert chosen(both, "o/n:UD-Q4_K_M") == "m-UD-Q4_K_M.gguf"

    def test_unknown_quantization_lists_near_matches_and_all(self) -> None:
        """With sizes, and as pull targets."""
        text = refused(of(LADDER), "o/n:Q4_K_L@v1")
        assert text.startswith("o/n has no Q4_K_L. Did you mean Q4_K_")
        assert "\n  gglib pull o/n:Q8_0@v1    8.5 GB" in text
        assert text.count("gglib pull") == len(LADDER)

    def test_ambiguous_quantization_is_refused(self) -> None:
        """The error lists the matching models, and no others."""
        found = find_variants(files("1B-Q4_K_M.gguf", "3B-Q4_K_M.gguf", "3B-Q8_0.gguf"))
        text = refused(found, "o/n:Q4_K_M")
        assert "matches several models" in text
        assert "gglib pull o/n/1B-Q4_K_M.gguf" in text
        assert "gglib pull o/n/3B-Q4_K_M.gguf" in text
        assert "Q8_0" not in text

    @pytest.mark.parametrize(
        ("text", "first"),
        [
            ("o/n/d/m-Q8_0-00001-of-00002.gguf", "d/m-Q8_0-00001-of-00002.gguf"),
            ("o/n/d/m-Q8_0-00002-of-00002.gguf", "d/m-Q8_0-00001-of-00002.gguf"),
            ("o/n/m-Q8_0-00002-of-00002.gguf", "d/m-Q8_0-00001-of-00002.gguf"),
            ("o/n/M-q4_0.gguf", "m-Q4_0.gguf"),
            ("o/n:m-Q4_0.gguf", "m-Q4_0.gguf"),
        ],
    )
    def test_file_selects_its_whole_model(self, text: str, first: str) -> None:
        """Any shard is accepted, and neither folder nor case need be right if only one file matches."""
        found = find_variants(
            files("d/m-Q8_0-00001-of-00002.gguf", "d/m-Q8_0-00002-of-00002.gguf", "m-Q4_0.gguf")
        )
        assert chosen(found, text) == first

    def test_exact_file_has_precedence_over_the_same_name_elsewhere(self) -> None:
        """Only a file without its folder can be ambiguous."""
        found = find_variants(files("m.gguf", "d/m.gguf", "e/m.gguf"))
        assert chosen(found, "o/n/m.gguf") == "m.gguf"
        assert "matches several models" in refused(find_variants(files("d/m.gguf", "e/m.gguf")), "o/n/m.gguf")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("o/n/m-Q4_1.gguf", "has no model file 'm-Q4_1.gguf'. Did you mean m-Q4_0.gguf?"),
            ("o/n/mmproj-F16.gguf", "is not a complete model (mmproj)"),
            ("o/n/m-Q8_0-00001-of-00002.gguf", "some of its shards are missing in"),
            ("o/n/zzzzzz.gguf", "has no model file 'zzzzzz.gguf'. It has:"),
        ],
    )
    def test_unusable_file_is_refused_with_the_reason(self, text: str, message: str) -> None:
        """And with the alternatives."""
        found = find_variants(files("m-Q4_0.gguf", "mmproj-F16.gguf", "m-Q8_0-00001-of-00002.gguf"))
        assert message in refused(found, text)

    def test_file_of_a_repository_without_models(self) -> None:
        """The error says that there are no models, and lists nothing."""
        assert refused(Variants(), "o/n/m.gguf") == "o/n has no model file 'm.gguf'. It has no model at all."

    def test_hostile_file_name_is_refused(self) -> None:
        """Also if the target was not validated."""
        with pytest.raises(UnsafeNameError):
            choose_variant(of(LADDER), target=PullTarget(repo="o/n", file="../m.gguf"), fit_of=room_for(0))

    def test_hostile_text_is_escaped(self) -> None:
        """A quantization may be any text."""
        target = PullTarget(repo="o/n", quantization="\x1b[2J\u202e")
        with pytest.raises(VariantChoiceError) as refusal:
            choose_variant(of(LADDER), target=target, fit_of=room_for(0))
        assert all(line.isprintable() for line in str(refusal.value).splitlines())


class TestTheBestThatFits:
    @pytest.mark.parametrize(
        ("room_bytes", "label"),
        [
            (100 * GB, "Q4_K_M"),
            (5 * GB, "Q4_K_M"),
            (48 * GB // 10, "Q4_K_S"),
            (46 * GB // 10, "IQ4_XS"),
            (44 * GB // 10, "Q3_K_M"),
            (39 * GB // 10, "Q3_K_S"),
            (33 * GB // 10, "Q2_K"),
            (3 * GB, "IQ2_M"),
        ],
    )
    def test_less_memory_selects_a_smaller_variant(self, room_bytes: int, label: str) -> None:
        """Q4_K_M wherever it fits, then the next one below it."""
        assert best(of(LADDER), room_for(room_bytes)) == label

    @pytest.mark.parametrize(
        ("labels", "label"),
        [
            (("Q8_0", "Q5_K_M", "Q3_K_M"), "Q5_K_M"),
            (("Q8_0", "Q4_K_S", "Q2_K"), "Q4_K_S"),
            (("Q8_0", "Q2_K"), "Q8_0"),
            (("F16", "Q2_K"), "F16"),
            (("F16", "Q3_K_M"), "Q3_K_M"),
            (("UD-Q4_K_XL", "Q4_K_S"), "UD-Q4_K_XL"),
            (("MXFP4", "F16"), "MXFP4"),
            (("BF16", "F32"), "BF16"),
        ],
    )
    def test_without_q4_k_m_the_nearest_is_selected(self, labels: tuple[str, ...], label: str) -> None:
        """A little better before a little worse; far better before far worse."""
        assert best(of(dict.fromkeys(labels, GB)), room_for(GB)) == label

    def test_tight_common_quantization_precedes_a_poor_one_that_fits(self) -> None:
        """A common one that fits precedes both."""
        assert best(of(LADDER), room_for(3 * GB, 5 * GB)) == "Q4_K_M"
        assert best(of(LADDER), room_for(4 * GB, 5 * GB)) == "Q3_K_M"

    def test_single_model_of_an_unknown_quantization_is_selected(self) -> None:
        """There is no other."""
        assert best(find_variants(files("m-APEX.gguf")), room_for(GB)) == "m-APEX"

    def test_several_of_unknown_quantizations_are_refused(self) -> None:
        """The error lists them with their sizes."""
        text = refused(find_variants(files("m-Compact.gguf", "m-Quality.gguf")), "o/n")
        assert "several models" in text
        assert "gglib pull o/n/m-Compact.gguf  1.0 GB" in text

    def test_several_models_of_the_wanted_quantization_are_refused(self) -> None:
        """Even if only one of them fits: they may be different models."""
        sizes = {"1B-Q4_K_M.gguf": GB, "9B-Q4_K_M.gguf": 9 * GB}
        found = find_variants(HubFile(name=name, size_bytes=size) for name, size in sizes.items())
        assert "several models" in refused(found, "o/n", room_for(2 * GB))

    def test_nothing_fits_names_the_smallest_and_how_to_pull_it_anyway(self) -> None:
        """With its memory need, if the caller knows that."""
        text = refused(of(LADDER), "o/n@v1", room_for(0))
        assert text == (
            "No model in o/n fits into the free memory: the smallest, IQ2_M, is 3.0 GB; "
            "'gglib pull o/n:IQ2_M@v1' pulls it anyway."
        )
        with pytest.raises(VariantChoiceError, match=r"needs about 4\.5 GB of memory"):
            choose_variant(
                of(LADDER),
                target=PullTarget(repo="o/n"),
                fit_of=room_for(0),
                need_of=lambda variant: variant.size_bytes * 3 // 2,
            )

    @pytest.mark.parametrize(
        ("names", "error", "message"),
        [
            (("README.md",), VariantChoiceError, "has no GGUF model: .gglib search n. "),
            (("mmproj-F16.gguf",), VariantChoiceError, "has no GGUF model"),
            (("m-00001-of-00002.gguf",), VariantChoiceError, "shards of m are missing"),
            (("m.gguf.part1of2",), VariantChoiceError, "only byte-split models"),
            (("../m.gguf",), UnsafeNameError, "only file names that cannot be used"),
        ],
    )
    def test_repository_without_a_model_has_its_reason(
        self, names: Iterable[str], error: type[Exception], message: str
    ) -> None:
        """One sentence for each reason."""
        with pytest.raises(error, match=message):
            choose_variant(find_variants(files(*names)), target=PullTarget(repo="o/n"), fit_of=room_for(GB))

    @given(
        st.dictionaries(st.sampled_from(sorted(LADDER)), st.integers(1, 20), min_size=1), st.integers(0, 25)
    )
    def test_selected_variant_fits_if_any_does(self, sizes: dict[str, int], room: int) -> None:
        """Never one that is too large; an error only if all are."""
        found = of({label: size * GB for label, size in sizes.items()})
        fit_of = room_for(room * GB)
        if any(fit_of(variant) is Fit.FITS for variant in found.models):
            assert fit_of(choose_variant(found, target=PullTarget(repo="o/n"), fit_of=fit_of)) is Fit.FITS
        else:
            assert "No model in o/n fits" in refused(found, "o/n", fit_of)

    def test_long_list_is_cut_and_counted(self) -> None:
        """With the place of the whole list."""
        found = find_variants(files(*(f"m{number}.gguf" for number in range(35))))
        first, *lines = refused(found, "o/n:Q9_K").splitlines()
        assert first.endswith("It has:")
        assert len(lines) == 31
        assert lines[-1] == "  and 5 more: 'gglib show o/n' lists all."

    def test_pull_target_is_quoted_for_a_shell(self) -> None:
        """Names may have spaces."""
        listed = refused(find_variants(files("my model.gguf")), "o/n:Q9_K").splitlines()[1:]
        assert listed == ["  gglib pull 'o/n/my model.gguf'  1.0 GB"]


class TestProjector:
    @pytest.mark.parametrize(
        ("names", "taken"),
        [
            ((), None),
            (("mmproj-F32.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf"), "mmproj-F16.gguf"),
            (("mmproj-F32.gguf", "mmproj-BF16.gguf"), "mmproj-BF16.gguf"),
            (("mmproj-F32.gguf", "m.mmproj-Q8_0.gguf"), "m.mmproj-Q8_0.gguf"),
            (("mmproj.gguf", "mmproj-F32.gguf"), "mmproj-F32.gguf"),
            (("mmproj-Q4_0.gguf", "mmproj.gguf"), "mmproj.gguf"),
        ],
    )
    def test_most_portable_precision_is_selected(self, names: tuple[str, ...], taken: str | None) -> None:
        """F16, BF16, Q8_0, F32, then an unknown one."""
        found = choose_projector(find_variants(files(*names, "m-Q4_0.gguf")))
        assert (found.name if found else None) == taken

    @pytest.mark.parametrize(
        ("names", "model", "taken"),
        [
            (("mmproj-4B-f16.gguf", "mmproj-12B-f16.gguf"), "m-12B-Q4_0.gguf", "mmproj-12B-f16.gguf"),
            (("mmproj-4B-f16.gguf", "mmproj-12B-f16.gguf"), "m-4B-Q4_0.gguf", "mmproj-4B-f16.gguf"),
            (("mmproj-m-9B-F16.gguf", "d/mmproj-F32.gguf"), "d/m-9B.gguf", "d/mmproj-F32.gguf"),
            (("mmproj-F16.gguf", "d/mmproj-F32.gguf"), "m.gguf", "mmproj-F16.gguf"),
            (("mmproj-F16.gguf", "d/mmproj-F32.gguf"), "dd/m.gguf", "mmproj-F16.gguf"),
            (("e/mmproj-F16.gguf",), "d/m.gguf", None),
        ],
    )
    def test_each_model_has_its_own_projector(
        self, names: tuple[str, ...], model: str, taken: str | None
    ) -> None:
        """By folder, then by the common part of the names."""
        found = find_variants(files(*names, model))
        projector = choose_projector(found, found.models[0])
        assert (projector.name if projector else None) == taken


def test_search_term_is_the_name_of_the_model() -> None:
    """Without the owner, and without a GGUF suffix that the name already has."""
    for repo in ("ada/tag", "ada/tag-GGUF", "ada/tag.gguf"):
        assert "'gglib search tag'" in str(no_variant(find_variants(()), repo))


def test_models_that_are_not_listed_are_counted() -> None:
    """Two sizes of the best quantization are listed; the number of others is given."""
    names = [f"m-{size}B-{quant}.gguf" for size in (1, 3) for quant in ("Q4_K_M", "Q8_0")]
    with pytest.raises(VariantChoiceError) as caught:
        choose_variant(find_variants(files(*names)), target=PullTarget(repo="o/n"), fit_of=room_for(GB))
    *listed, more = str(caught.value).splitlines()[1:]
    assert len(listed) == 2
    assert more == "  and 2 more: 'gglib show o/n' lists all."
