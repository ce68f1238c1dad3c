import torch
from torch.nn import functional

from polyglance.vision.class_names import ClassNames


def test_a_picture_is_the_mean_of_its_classes_names() -> None:
    torch.manual_seed(0)
    block = ClassNames(classes=3, dimension=4)
    with torch.no_grad():
        block.log_sharpness.fill_(0.5)
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    found = block(logits)
    for row, scores in enumerate(logits):
        weights = torch.exp(scores * torch.exp(torch.tensor(0.5)))
        weights = weights / weights.sum()
        expected = torch.zeros(4)
        for index in range(3):
            vector = block.vectors[index]
            expected = expected + weights[index] * vector / vector.norm()
        torch.testing.assert_close(found[row], expected / expected.norm())


def test_a_certain_classifier_gives_the_name_itself_and_gradients_flow() -> None:
    block = ClassNames(classes=3, dimension=4)
    found = block(torch.tensor([[0.0, 100.0, 0.0]]))
    torch.testing.assert_close(found[0], functional.normalize(block.vectors[1], dim=0))
    block(torch.tensor([[0.0, 1.0, 0.5]])).sum().backward()
    assert block.vectors.grad is not None
    assert block.vectors.grad.abs().sum() > 0
    assert block.log_sharpness.grad is not None
    assert block.log_sharpness.grad.abs() > 0
