"""Takes a dead letter in again."""

from __future__ import annotations

from bot.errors import SitrepError
from bot.incidents.sources import is_alertmanager
from bot.intake import Read, take_in
from bot.services import Services
from bot.store import inbox
from bot.store.tx import Tx
from handlers.webhooks import alertmanager, pagerduty
from handlers.webhooks.reading import Malformed


def take_again(services: Services, tx: Tx, receipt: str) -> str:
    """Take a letter in; gives what became of it.

    Raises:
        SitrepError: there is no such dead letter, or it still cannot be read.
    """
    letter = inbox.find(tx.connection, receipt)
    if letter is None or letter.state != inbox.DEAD:
        raise SitrepError(f"{receipt} is no dead letter. See `sitrep inbox list`.")
    try:
        if is_alertmanager(letter.source):
            read = Read.of(alertmanager.read(letter.body, letter.source))
            outcome = read.noted(take_in(tx, services.reception, read))
        else:
            outcome = services.pagerduty.receive(tx, pagerduty.read(letter.body))
    except Malformed as error:
        raise SitrepError(f"{receipt} still cannot be read: {error}") from error
    inbox.note(tx.connection, receipt, outcome, state=inbox.REPLAYED)
    return outcome
