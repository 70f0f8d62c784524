"""The list of first models, to choose from and to read. Pure."""

from collections.abc import Iterator, Sequence

from gglib.app.models.first_models import FirstModelOffers
from gglib.cli.views import render
from gglib.core import shell_quoting
from gglib.core.memory import Fit
from gglib.library.starter import SMOLLM2
from gglib.library.starter.first_models import Offer

CHOICE_COLUMNS = ("", "MODEL", "SIZE", "LICENCE", "FIT", "")
LIST_COLUMNS = ("FIT", "SIZE", "LICENCE", "COMMAND")
STARTER_NUMBER = 1
NONE_NUMBER = 0
_STARTER_NOTE = "in seconds, not clever"
_RECOMMENDED = "recommended"


def choice_rows(offered: FirstModelOffers) -> list[list[str]]:
    """Return a numbered row for the starter, for each model of the list, and for none."""
    starter = ["SmolLM2 135M Instruct", render.size(SMOLLM2.wheel_size_bytes), SMOLLM2.licence]
    return [
        [str(STARTER_NUMBER), *starter, Fit.FITS.value, _STARTER_NOTE],
        *(
            [str(number), *_cells(offer), _RECOMMENDED if offer is offered.recommended else ""]
            for number, offer in enumerate(offered.offers, STARTER_NUMBER + 1)
        ),
        [str(NONE_NUMBER), "none: I add my own", "", "", "", ""],
    ]


def default_number(offered: FirstModelOffers) -> int:
    """Return the number that Enter takes: the recommended model's, else the starter's."""
    if offered.recommended is None:
        return STARTER_NUMBER
    return offered.offers.index(offered.recommended) + STARTER_NUMBER + 1


def chosen_number(text: str, offered: FirstModelOffers) -> int:
    """Return the number that an answer chooses. Raises ``ValueError`` with a sentence for any other answer."""
    last = len(offered.offers) + STARTER_NUMBER
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and NONE_NUMBER <= int(text) <= last):
        raise ValueError(f"Type a number from {NONE_NUMBER} to {last}.")
    number = int(text)
    if not offered.is_hub_reachable and number > STARTER_NUMBER:
        raise ValueError(
            f"The hub cannot be reached: type {STARTER_NUMBER} or {NONE_NUMBER}, or try again later."
        )
    return number


def offer_of(number: int, offered: FirstModelOffers) -> Offer | None:
    """Return the model of the list with a number; None for the starter."""
    return None if number == STARTER_NUMBER else offered.offers[number - STARTER_NUMBER - 1]


def list_rows(offered: FirstModelOffers) -> list[list[str]]:
    """Return a row with the command for each model."""
    return [
        [offer.fit.value, render.size(offer.model.size_bytes), _licence(offer), _command(offer)]
        for offer in offered.offers
    ]


def note_lines(offered: FirstModelOffers) -> Iterator[str]:
    """Yield what has to be known before a choice."""
    if not offered.is_hub_reachable:
        yield f"The hub cannot be reached: only {STARTER_NUMBER} can be fetched now."


def too_large_note(offer: Offer) -> str | None:
    """Return a note for a model that does not fit; None if it does."""
    if offer.fit is not Fit.TOO_LARGE:
        return None
    need = render.size(offer.slot_fit.need.total_bytes)
    return f"Note: {offer.model.title} needs about {need} of memory, more than is free now."


def _cells(offer: Offer) -> Sequence[str]:
    return (offer.model.title, render.size(offer.model.size_bytes), _licence(offer), offer.fit.value)


def _licence(offer: Offer) -> str:
    return offer.model.licence.replace("apache", "Apache").replace("mit", "MIT")


def _command(offer: Offer) -> str:
    return shell_quoting.shell_command("pull", offer.model.target)
