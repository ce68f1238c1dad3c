import torch
from torch.nn import functional

from polyglance.vision.caption_head import CaptionHead


def small() -> CaptionHead:
    torch.manual_seed(0)
    head = CaptionHead(
        channels=7, components=5, heads=2, branches=3, dimension=4, hidden=6, names_dimension=3
    ).eval()
    head.origin.copy_(torch.rand(7))
    head.components.copy_(torch.randn(7, 5))
    for branch in head.branches:
        torch.nn.init.normal_(branch.mix[3].weight)
    return head


def test_reduce_takes_square_roots_cell_by_cell() -> None:
    head = small()
    grid = torch.rand(2, 7, 2, 3)
    found = head.reduce(grid)
    assert found.shape == (2, 6, 5)
    expected = (grid[1, :, 1, 2].sqrt() - head.origin) @ head.components
    torch.testing.assert_close(found[1, 5], expected)
    assert torch.isfinite(head.reduce(-grid)).all()


def test_forward_equals_naive_loops() -> None:
    head = small()
    cells, names = torch.randn(2, 6, 5), functional.normalize(torch.randn(2, 3), dim=1)
    found = head(cells, names)
    assert found.shape == (2, 3, 4)
    for row in range(2):
        mean = cells[row].mean(0)
        mean = mean / mean.norm() * 5**0.5
        for index, branch in enumerate(head.branches):
            pooled = []
            for query in branch.query.weight:
                scores = torch.exp(cells[row] @ query)
                vector = ((scores / scores.sum())[:, None] * cells[row]).sum(0)
                pooled.append(vector / vector.norm() * 5**0.5)
            looked = torch.cat([pooled[0] @ branch.values[0], pooled[1] @ branch.values[1]])
            seen = branch.norm(looked + branch.mean(mean))
            seen = functional.normalize(seen + branch.mix(seen), dim=0)
            named = functional.normalize(branch.names(names[row]), dim=0)
            expected = functional.normalize(seen + branch.names_weight * named, dim=0)
            torch.testing.assert_close(found[row, index], expected)


def test_gradient_reaches_every_parameter() -> None:
    head = small()
    target = torch.randn(2, 3, 4)
    (head(torch.randn(2, 6, 5), torch.randn(2, 3)) * target).sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
