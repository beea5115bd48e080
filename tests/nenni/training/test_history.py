import pandas as pd
import pytest

from nenni.training.history import Trained, epoch_line


def test_catastrophic_overfitting_is_seen() -> None:
    def told(seen: list[float], robust: list[float]) -> int | None:
        history = pd.DataFrame(
            {"epoch": range(1, len(seen) + 1), "train_seen": seen, "val_robust": robust}
        )
        return Trained(history, [], {}, 1).collapsed

    assert told([0.3, 0.4, 0.9], [0.3, 0.4, 0.05]) == 3
    assert told([0.3, 0.4, 0.5], [0.3, 0.4, 0.35]) is None
    assert told([0.5, 0.6, 0.1], [0.4, 0.5, 0.1]) is None


@pytest.mark.parametrize(
    ("robust", "speed", "expected"),
    [
        (None, None, "epoch 3/8: loss 0.5000, validation clean 81.2%"),
        (
            0.25,
            1234.5,
            "epoch 3/8: loss 0.5000, validation clean 81.2%, robust 25.0%; 1234 images/s",
        ),
    ],
)
def test_an_epoch_in_a_line(robust: float | None, speed: float | None, expected: str) -> None:
    row = {"loss": 0.5, "val_clean": 0.812} | ({} if robust is None else {"val_robust": robust})
    assert epoch_line(row, "3/8", speed) == expected
