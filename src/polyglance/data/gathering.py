"""What all processes that train one system together have of a step.

Each process encodes its own share of a batch; the loss is over all of it. So features, and the ids
that tell positives, are gathered from all processes before they are compared. Gradients flow back
the same way: each process hears from all others what its rows did to *their* losses, and as all of
them compute the same loss of the same whole batch, these gradients add up to that of one process
times the number of processes. DDP's mean over processes divides by that number again, for the
parameters of encoders as well as for those of the loss, and nothing needs to be scaled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, distributed
from torch.nn.functional import pad

from polyglance.data.batch import Batch, TextPairs, caption_positives, translation_positives
from polyglance.features import Features

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


class Gatherer:
    """One process alone: it has everything already."""

    def rows(self, tensor: Tensor) -> Tensor:
        """(own, ...) → (all, ...), the rows of all processes one after the other."""
        return tensor

    def features(self, features: Features) -> Features:
        """Those of all processes, padded to the longest."""
        return features

    def positives(self, batch: Batch) -> Tensor:
        """(all images, all texts) bool: ``Batch.positives`` over all processes."""
        return batch.positives

    def translations(self, pairs: TextPairs) -> Tensor:
        """(all pairs, all pairs) bool: ``TextPairs.positives`` over all processes."""
        return pairs.positives


class RankGatherer(Gatherer):
    """One of several processes, all of which call the same methods in the same order.

    Args:
        group: of processes, used for nothing else: its messages are sent while gradients are
            computed, between those of DDP, and must not be taken for them.
    """

    def __init__(self, group: ProcessGroup) -> None:
        self._group = group

    def rows(self, tensor: Tensor) -> Tensor:
        """(own, ...) → (all, ...), with gradients; processes may have different numbers of rows."""
        return self._gathered(tensor, self._counts(tensor.device, len(tensor))[:, 0].tolist())

    def features(self, features: Features) -> Features:
        """Those of all processes, with gradients, padded to the longest."""
        tokens, mask = features.tokens, features.mask
        if tokens is None:
            return Features(self.rows(features.embedding))
        if mask is None:
            mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
        counts = self._counts(tokens.device, *tokens.shape[:2])  # (processes, 2)
        rows, missing = counts[:, 0].tolist(), int(counts[:, 1].max()) - tokens.shape[1]
        mask = pad(mask, (0, missing)).to(torch.uint8)  # not every backend knows truth values
        return Features(
            self._gathered(features.embedding, rows),
            self._gathered(pad(tokens, (0, 0, 0, missing)), rows),
            self._gathered(mask, rows).bool(),
        )

    def positives(self, batch: Batch) -> Tensor:
        """(all images, all texts) bool, by picture id whichever process has picture and text."""
        device = batch.image_ids.device
        also = batch.also
        if also is None:
            also = torch.empty(0, 2, dtype=torch.int64, device=device)
        counts = self._counts(device, len(batch.image_ids), len(batch.text_image_ids), len(also))
        images, texts, pairs = counts.T.tolist()  # (processes,) each
        before = sum(texts[: distributed.get_rank(self._group)])  # texts of the ranks before
        return caption_positives(
            self._gathered(batch.image_ids, images),
            self._gathered(batch.text_image_ids, texts),
            self._gathered(also + also.new_tensor([before, 0]), pairs),
        )

    def translations(self, pairs: TextPairs) -> Tensor:
        """(all pairs, all pairs) bool; ids are those of the whole step in every process."""
        return translation_positives(self.rows(pairs.pivot_ids), self.rows(pairs.translation_ids))

    def _counts(self, device: torch.device, *own: int) -> Tensor:
        """(processes, numbers) int64."""
        numbers = torch.tensor([own], dtype=torch.int64, device=device)  # (1, numbers)
        gathered: Tensor = _AllGather.apply(numbers, self._group)  # type: ignore[no-untyped-call]
        return gathered[:, 0].cpu()

    def _gathered(self, tensor: Tensor, rows: Sequence[int]) -> Tensor:
        """(own, ...) → (all, ...); ``rows`` are those of each process."""
        missing = max(rows) - len(tensor)
        padded = torch.cat([tensor, tensor.new_zeros(missing, *tensor.shape[1:])])
        each = _AllGather.apply(padded, self._group)  # type: ignore[no-untyped-call]
        return torch.cat([some[:count] for some, count in zip(each, rows, strict=True)])


class _AllGather(torch.autograd.Function):
    """Tensors of one shape from all processes; the gradient is the sum of what all say of it."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: ProcessGroup) -> Tensor:
        """(...) → (processes, ...)."""
        ctx.group = group
        each = [torch.empty_like(tensor) for _ in range(distributed.get_world_size(group))]
        distributed.all_gather(each, tensor.contiguous(), group=group)
        return torch.stack(each)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """(processes, ...) → (...)."""
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total, group=ctx.group)
        return total[distributed.get_rank(ctx.group)], None
