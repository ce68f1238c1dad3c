"""Simple recurrent units over packed texts: what is slow is done for all words at once."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.precision import at_least_float32
from polyglance.text.packing import Packing, steps
from polyglance.text.recurrent_unit import RecurrentUnit

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward


class SRU(RecurrentUnit):
    """Layers of simple recurrent units (Lei et al., EMNLP 2018), one way.

    In each layer, for a word x and the state c before it, with ⊙ element by element::

        f = σ(W_f x + b_f)      r = σ(W_r x + b_r)
        c ← f ⊙ c + (1 − f) ⊙ W x
        h = r ⊙ tanh(c) + (1 − r) ⊙ x′

    The next layer reads h. The highway x′ is x itself, or a projection of it where h has another
    size. Nothing in f, r and W x depends on the word before, so that the matrix products of all
    words are one, and what goes word by word is a sum of products of single numbers. What a
    *distinct* word of the batch gives the first layer is computed once.

    Deviations from equations 1 to 4 of the paper, as in the text encoder of Engilberge et al. (CVPR
    2018) that Portaz et al. (2019, section 3.2) take: the gates have no terms v_f ⊙ c and v_r ⊙ c,
    and the state passes tanh.

    Args:
        input_size: of a word's vector.
        hidden_size: of the state, in every layer.
        layers: how many.
        dropout: probability, on what each layer hands on, the last one too (Portaz et al. 2019);
            a text loses the same numbers at every word (Gal & Ghahramani 2016).
        rescale: multiply x by √3 where it is the highway, so that h varies as x does, although both
            gates are open by half in the beginning (Lei et al. 2018, section 3.2, with b_r = 0).

    Raises:
        ValueError: ``layers`` is not positive.
    """

    def __init__(
        self,
        *,
        input_size: int,
        hidden_size: int,
        layers: int = 4,
        dropout: float = 0.0,
        rescale: bool = False,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"an SRU of {layers} layers")
        self.input_size, self.hidden_size = input_size, hidden_size
        scale = math.sqrt(3) if rescale else 1.0
        sizes = [input_size] + (layers - 1) * [hidden_size]
        self.layers = nn.ModuleList(_Layer(size, hidden_size, scale) for size in sizes)
        self.dropout = dropout

    def read(self, table: Tensor, packing: Packing) -> list[Tensor]:
        """See :meth:`RecurrentUnit.read`; one direction."""
        states, rows = table, packing.words(0)
        for number, layer in enumerate(self.layers):
            gates, highway = layer(states)
            if number == 0:  # a row a distinct word → one a word; their gradients add up exactly
                gates = at_least_float32(gates).index_select(0, rows)
                highway = at_least_float32(highway).index_select(0, rows)
            states = _Scan.apply(gates, highway, packing.running)  # type: ignore[no-untyped-call]
            if self.training and self.dropout:
                kept = states.new_ones(len(packing.index), self.hidden_size)  # (texts, hidden)
                states = states * functional.dropout(kept, self.dropout)[packing.text]
        return [states]


class _Layer(nn.Module):
    """Everything in a layer that needs no order.

    Attributes:
        weight: (3 · hidden, input): W, W_f, W_r one above the other; from U(−b, b), where b is
            √(3 / input) (Lei et al. 2018, section 3.2).
        bias: (2 · hidden,): b_f, b_r.
        projection: of x, where h has another size.
    """

    def __init__(self, input_size: int, hidden_size: int, scale: float) -> None:
        super().__init__()
        bound = math.sqrt(3 / input_size)

        def uniform(size: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(size, input_size).uniform_(-bound, bound))

        self.weight = uniform(3 * hidden_size)
        self.bias = nn.Parameter(torch.zeros(2 * hidden_size))
        self.projection = None if input_size == hidden_size else uniform(hidden_size)
        self.scale = scale

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        """(words, input) → what enters state and gates, (words, 3 · hidden), and x′."""
        hidden = len(self.bias) // 2
        gates = functional.linear(words, self.weight, functional.pad(self.bias, (hidden, 0)))
        if self.projection is not None:
            return gates, functional.linear(words, self.projection)
        return gates, words * self.scale if self.scale != 1 else words


class _Scan(torch.autograd.Function):
    """States and outputs of one layer, word by word, and their gradient.

    Rows are all words in the order of the packing; step by step, so that each is still in the
    processor's cache when the next operation needs it.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, highway: Tensor, running: list[int]) -> Tensor:
        """(all words, 3 · hidden) and x′ (all words, hidden) → h (all words, hidden)."""
        total, hidden = highway.shape
        exact = torch.promote_types(gates.dtype, torch.float32)
        states, squashed, outputs = gates.new_empty(3, total, hidden, dtype=exact).unbind()
        opened = gates.new_empty(total, 2 * hidden, dtype=exact)  # f, r
        state = gates.new_zeros(running[0], hidden, dtype=exact)
        for step, texts in steps(running):
            candidate = gates[step, :hidden].to(exact)  # (texts, hidden)
            opened[step] = gates[step, hidden:]
            forget, reset = opened[step].sigmoid_().chunk(2, dim=1)
            state = torch.lerp(candidate, state[:texts], forget, out=states[step])
            torch.tanh(state, out=squashed[step])
            torch.lerp(highway[step].to(exact), squashed[step], reset, out=outputs[step])
        ctx.save_for_backward(gates, highway, states, squashed, opened)
        ctx.running = running
        return outputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """(all words, hidden) → gradients of the gates and of x′."""
        gates, highway, states, squashed, opened = ctx.saved_tensors
        hidden = gradient.shape[1]
        on_gates, on_highway = torch.empty_like(gates), torch.empty_like(highway)
        spans = steps(ctx.running)
        start = states.new_zeros(ctx.running[0], hidden)
        before = [start, *(states[step] for step, _ in spans[:-1])]
        later = gradient.new_zeros(0, hidden)  # on the state, from the words behind
        for (step, texts), earlier in zip(reversed(spans), reversed(before), strict=True):
            forget, reset = opened[step].chunk(2, dim=1)  # (texts, hidden)
            on_squashed = gradient[step] * reset
            on_highway[step] = gradient[step] - on_squashed
            on_reset = gradient[step] * (squashed[step] - highway[step])
            on_gates[step, 2 * hidden :] = _sigmoid_backward(on_reset, reset)
            on_state = _tanh_backward(on_squashed, squashed[step])
            on_state[: len(later)] += later
            on_forget = on_state * (earlier[:texts] - gates[step, :hidden])
            on_gates[step, hidden : 2 * hidden] = _sigmoid_backward(on_forget, forget)
            later = on_state * forget
            on_gates[step, :hidden] = on_state - later
        return on_gates, on_highway, None
