"""Chooses a variant of a repository. Pure.

The default follows other programs where that is safe: llama.cpp takes the first file whose name has ``Q4_K_M``, then
``Q8_0``, then the first model at all (``common/download.cpp``, ``find_best_model``); Ollama takes ``Q4_K_M``, else "one
reasonable" (https://huggingface.co/docs/hub/ollama); LM Studio recommends a model that fits. Here the first variant in
``preferences.PREFERRED`` that fits is chosen. If a name matches several variants, which the other programs resolve by
file order, the error lists them.
"""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from shlex import quote

from gglib.core.errors import UnsafeNameError, VariantChoiceError
from gglib.core.file_names import safe_path, shown
from gglib.core.gguf_names import FileKind, kind_of, stem_of
from gglib.core.hub.quantizations import folded, label_of, without_dynamic
from gglib.core.hub.repository import HubFile
from gglib.core.hub.variants import Variant, Variants
from gglib.core.memory import Fit
from gglib.core.shell_quoting import quoted_command
from gglib.core.sizes import format_size
from gglib.library.variants.preferences import FALLBACK, PREFERRED
from gglib.library.variants.pull_target import PullTarget

MAX_LISTED = 30
"""Maximum number of variants listed in an error; the rest is counted."""


def choose_variant(
    variants: Variants,
    *,
    target: PullTarget,
    fit_of: Callable[[Variant], Fit],
    need_of: Callable[[Variant], int] | None = None,
) -> Variant:
    """Return the variant that ``target`` names, else the best one that fits.

    ``need_of`` returns the memory need of a variant in bytes, for error messages. Raises ``VariantChoiceError``, which
    lists the variants with the commands to type, and ``UnsafeNameError`` if all files have unsafe names.
    """
    repo = target.repo or "the repository"
    if target.file is not None:
        return _by_file(variants, target.file, target, repo)
    if not variants.models:
        raise no_variant(variants, repo)
    if target.quantization is not None:
        return _by_quantization(variants, target.quantization, target, repo)
    return _best_that_fits(variants, target, repo, fit_of, need_of)


def choose_projector(variants: Variants, variant: Variant | None = None) -> HubFile | None:
    """Return the projector for a model, or None if there is none.

    As in llama.cpp, one in the model's own folder wins over one in a parent folder, and other folders are ignored
    (``find_best_sibling``). Then the name with most words in common with the model's wins, for repositories of several
    models; then F16, which every backend supports, BF16, Q8_0, F32 (LM Studio and others take F16 too).
    """
    fitting = [
        file for file in variants.projectors if variant is None or _is_above(file.name, variant.first.name)
    ]
    if not fitting:
        return None
    words = _words(variant.stem) if variant else set()
    return min(
        fitting,
        key=lambda file: (
            -file.name.count("/") if variant else 0,
            -len(words & _words(stem_of(file.name))),
            _precision(file.name),
            file.name,
        ),
    )


def _by_file(variants: Variants, name: str, target: PullTarget, repo: str) -> Variant:
    safe_path(name)
    found = [variant for variant in variants.models if any(file.name == name for file in variant.files)]
    found = found or [
        variant
        for variant in variants.models
        if any(_is_same_file(file.name, name) for file in variant.files)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(f"'{shown(name)}'", found, target, repo)
    raise VariantChoiceError(_why_not_that_file(variants, name, target, repo))


def _is_same_file(name: str, wanted: str) -> bool:
    """Whether ``wanted`` matches ``name`` ignoring case (as llama.cpp's ``--hf-file`` does), with or without folder."""
    return wanted.casefold() in {name.casefold(), name.rpartition("/")[2].casefold()}


def _why_not_that_file(variants: Variants, name: str, target: PullTarget, repo: str) -> str:
    if stem_of(name) in variants.incomplete:
        return f"'{shown(name)}' cannot be used: some of its shards are missing in {repo}."
    if kind_of(name) not in {FileKind.MODEL, FileKind.SHARD}:
        listed = _listed(variants.models, target, repo)
        return f"'{shown(name)}' is not a complete model ({kind_of(name).value}). {listed}"
    near = _near(name, [file.name for variant in variants.models for file in variant.files])
    return f"{repo} has no model file '{shown(name)}'.{_did_you_mean(near)} {_listed(variants.models, target, repo)}"


def _by_quantization(variants: Variants, wanted: str, target: PullTarget, repo: str) -> Variant:
    found = _matching(variants.models, wanted)
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(shown(wanted), found, target, repo)
    near = _near(wanted, [variant.label for variant in variants.models])
    raise VariantChoiceError(
        f"{repo} has no {shown(wanted)}.{_did_you_mean(near)} {_listed(variants.models, target, repo)}"
    )


def _matching(models: Sequence[Variant], wanted: str) -> list[Variant]:
    """Return the variants that match a label: by quantization, else ignoring ``UD-``, else by the stem of the name."""
    key = folded(wanted)
    labelled = [(variant, folded(variant.quantization)) for variant in models if variant.quantization]
    return (
        [variant for variant, own in labelled if own == key]
        or [variant for variant, own in labelled if without_dynamic(own) == key]
        or [
            variant
            for variant in models
            if key in {folded(variant.stem), folded(variant.stem.rpartition("/")[2])}
        ]
    )


def _best_that_fits(
    variants: Variants,
    target: PullTarget,
    repo: str,
    fit_of: Callable[[Variant], Fit],
    need_of: Callable[[Variant], int] | None,
) -> Variant:
    """Prefer variants that fit over tight ones, but a tight preferred one over a fallback (see ``preferences``)."""
    fits = {variant.first.name: fit_of(variant) for variant in variants.models}
    for preferences in (PREFERRED, FALLBACK):
        for wanted in (Fit.FITS, Fit.TIGHT):
            for label in preferences:
                found = _with_label(variants.models, label)
                if any(fits[variant.first.name] is wanted for variant in found):
                    return _only(found, variants, target, repo)
    usable = [variant for variant in variants.models if fits[variant.first.name] is not Fit.TOO_LARGE]
    if not usable:
        raise _too_large(variants.models[0], target, repo, need_of)
    return _only(variants.models, variants, target, repo)


def _with_label(models: Sequence[Variant], label: str) -> list[Variant]:
    """Return the variants with a label: dynamic (``UD-``) ones only if there is no plain one."""
    labelled = [(variant, folded(variant.quantization)) for variant in models if variant.quantization]
    return [variant for variant, own in labelled if own == label] or [
        variant for variant, own in labelled if without_dynamic(own) == label
    ]


def _only(found: Sequence[Variant], variants: Variants, target: PullTarget, repo: str) -> Variant:
    if len(found) == 1:
        return found[0]
    listed = _listed(found, target, repo, others=len(variants.models) - len(found))
    raise VariantChoiceError(f"{repo} has several models: name one. {listed}")


def _too_large(
    smallest: Variant, target: PullTarget, repo: str, need_of: Callable[[Variant], int] | None
) -> VariantChoiceError:
    need = (
        f"needs about {format_size(need_of(smallest))} of memory"
        if need_of
        else f"is {format_size(smallest.size_bytes)}"
    )
    return VariantChoiceError(
        f"No model in {repo} fits into the free memory: the smallest, {smallest.label}, {need}; "
        f"{quoted_command('pull', smallest.target(repo, target.revision))} pulls it anyway."
    )


def no_variant(variants: Variants, repo: str) -> VariantChoiceError | UnsafeNameError:
    """Return the error for a repository without a usable model."""
    if variants.incomplete:
        return VariantChoiceError(
            f"{repo} has no complete model: shards of {shown(variants.incomplete[0])} are missing."
        )
    if variants.pieces:
        return VariantChoiceError(
            f"{repo} has only byte-split models ({shown(variants.pieces[0])}), which no engine loads: join the pieces "
            "with 'cat' and add the result with 'gglib add', or look for another repository."
        )
    if variants.unsafe:
        return UnsafeNameError(
            f"{repo} has only file names that cannot be used on this machine, such as '{shown(variants.unsafe[0])}'."
        )
    words = re.sub(r"[-_.]gguf$", "", repo.rpartition("/")[2], flags=re.IGNORECASE)
    return VariantChoiceError(
        f"{repo} has no GGUF model: {quoted_command('search', words)} may find a repository that has it as GGUF."
    )


def _ambiguous(what: str, found: Sequence[Variant], target: PullTarget, repo: str) -> VariantChoiceError:
    return VariantChoiceError(
        f"{what} matches several models of {repo}: name one. {_listed(found, target, repo)}"
    )


def _listed(models: Sequence[Variant], target: PullTarget, repo: str, others: int = 0) -> str:
    if not models:
        return "It has no model at all."
    return "\n".join(("It has:", *_lines(models, repo, target.revision, others)))


def _lines(models: Sequence[Variant], repo: str, revision: str | None, others: int = 0) -> list[str]:
    """Return a line with the pull command for each of ``models``; ``others`` are only counted."""
    commands = [f"  gglib pull {quote(variant.target(repo, revision))}" for variant in models[:MAX_LISTED]]
    width = max(map(len, commands), default=0)
    lines = [
        f"{line:<{width}}  {format_size(variant.size_bytes)}"
        for line, variant in zip(commands, models, strict=False)
    ]
    more = max(0, len(models) - MAX_LISTED) + others
    return [*lines, f"  and {more} more: {quoted_command('show', repo)} lists all."] if more > 0 else lines


def _near(wanted: str, choices: Sequence[str]) -> list[str]:
    by_key = {folded(choice): choice for choice in choices}
    return [by_key[key] for key in get_close_matches(folded(wanted)[:200], by_key, n=3, cutoff=0.6)]


def _did_you_mean(near: Sequence[str]) -> str:
    return f" Did you mean {' or '.join(near)}?" if near else ""


def _is_above(projector: str, model: str) -> bool:
    folder = projector.rpartition("/")[0]
    return not folder or model.startswith(f"{folder}/")


def _words(stem: str) -> set[str]:
    text = stem.casefold()
    for separator in "-_./ ":
        text = text.replace(separator, "-")
    return set(text.split("-")) - {""}


def _precision(name: str) -> int:
    label = label_of(name)
    order = ("F16", "BF16", "Q8_0", "F32", None)
    return order.index(label) if label in order else len(order)
