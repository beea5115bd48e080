"""What came of each image, as a card's texts and as the tables that accuracies are made from."""

from collections.abc import Iterable

import pandas as pd

from nenni.cards.schema import Attack, Card


def written(shares: Iterable[float], draws: int) -> str:
    """Shares of draws, in [0, 1], as whole numbers of draws parted by spaces."""
    return " ".join(str(round(share * draws)) for share in shares)


def read(counts: str) -> list[int]:
    """The whole numbers that :func:`written` wrote."""
    return [int(count) for count in counts.split(" ")]


def examples(card: Card, attack: Attack) -> pd.DataFrame:
    """The outcomes of an attack as :mod:`nenni.evaluation.scoring` takes them, shares of draws."""
    chosen = draws_that_choose(card)
    scored = card.protocol.scored_on
    columns = {
        "clean_correct": (card.clean.correct, scored),
        "clean_chosen": (card.clean.chosen, chosen),
        "any_correct": (attack.any_correct, scored),
        "any_chosen": (attack.any_chosen, chosen),
        "adv_correct": (attack.adv_correct, scored),
        "adv_chosen": (attack.adv_chosen, chosen),
    }
    return pd.DataFrame(
        {name: [count / draws for count in read(text)] for name, (text, draws) in columns.items()}
    )


def draws_that_choose(card: Card) -> int:
    """Passes on which the worse of two points is chosen."""
    return card.protocol.draws if card.network.randomised else 1
