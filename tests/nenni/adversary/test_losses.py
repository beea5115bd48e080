import torch

from nenni.adversary.losses import LOSSES, dlr, margin, objective


def test_losses_by_hand() -> None:
    logits = torch.tensor([[3.0, 1.0, 0.0], [0.5, 2.0, 1.0]])
    labels = torch.tensor([0, 2])
    torch.testing.assert_close(margin(logits, labels), torch.tensor([-2.0, 1.0]))
    torch.testing.assert_close(dlr(logits, labels), torch.tensor([-2 / 3, 1 / 1.5]))
    torch.testing.assert_close(dlr(100 * logits, labels), dlr(logits, labels))
    torch.testing.assert_close(dlr(logits[:, :2], torch.tensor([0, 1])), torch.tensor([-2.0, -1.5]))
    for loss in LOSSES:
        away = objective(labels, loss, targeted=False)(logits)
        torch.testing.assert_close(objective(labels, loss, targeted=True)(logits), -away)
