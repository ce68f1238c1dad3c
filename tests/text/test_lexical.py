import torch
from torch.nn import functional

from polyglance.text.lexical import LexicalCorrection


def small() -> LexicalCorrection:
    torch.manual_seed(0)
    return LexicalCorrection(dimension=6, buckets=11, width=4, hidden=8)


def test_forward_equals_the_formula_text_by_text() -> None:
    block = small().eval()
    sentences = functional.normalize(torch.randn(3, 6), dim=1)
    ngrams = torch.tensor([[1, 2, 2], [5, 0, 0], [0, 0, 0]])
    found = block(sentences, ngrams)
    for row, (sentence, buckets) in enumerate(zip(sentences, ngrams.tolist(), strict=True)):
        total = torch.zeros(4)
        for bucket in buckets:
            if bucket:
                total = total + block.table[bucket]
        letters = functional.layer_norm(total, (4,), block.norm.weight, block.norm.bias)
        joined = torch.cat([sentence * 6**0.5, letters])
        gate = 1 / (1 + torch.exp(-block.gate(joined)))
        expected = functional.normalize(gate * sentence + block.correct(joined), dim=0)
        torch.testing.assert_close(found[row], expected)


def test_rows_have_unit_length_and_padding_adds_nothing() -> None:
    block = small().eval()
    sentences = functional.normalize(torch.randn(2, 6), dim=1)
    short = block(sentences, torch.tensor([[1, 2], [3, 4]]))
    long = block(sentences, torch.tensor([[1, 2, 0, 0], [3, 4, 0, 0]]))
    torch.testing.assert_close(short, long)
    torch.testing.assert_close(short.norm(dim=1), torch.ones(2))


def test_gradient_reaches_every_parameter_and_no_unused_bucket() -> None:
    block = small()
    sentences = functional.normalize(torch.randn(4, 6), dim=1)
    target = torch.randn(4, 6)
    (block(sentences, torch.tensor([[1, 2]] * 4)) * target).sum().backward()
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert block.table.grad is not None
    assert block.table.grad[[1, 2]].abs().sum() > 0
    assert block.table.grad[3:].abs().sum() == 0


def test_sentence_dropout_hides_sentences_in_training_alone() -> None:
    block = LexicalCorrection(dimension=6, buckets=11, width=4, hidden=8, sentence_dropout=0.999)
    torch.manual_seed(0)
    one, other = torch.eye(6)[:1], torch.eye(6)[1:2]
    grams = torch.tensor([[1, 2]])
    block.train()
    torch.testing.assert_close(block(one, grams), block(other, grams))
    block.eval()
    assert not torch.allclose(block(one, grams), block(other, grams))
