"""A gated recurrent unit over packed texts of repeated words, fast where bfloat16 is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyglance.text.packing import Packing, steps
from polyglance.text.recurrent_unit import RecurrentUnit

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward


class GRU(RecurrentUnit):
    """One layer of gated recurrent units (Cho et al. 2014, as cuDNN has them), one or two ways.

    For a word x and the state h before it, with ⊙ element by element::

        r = σ(W_r x + b_r + U_r h + c_r)              z = σ(W_z x + b_z + U_z h + c_z)
        n = tanh(W_n x + b_n + r ⊙ (U_n h + c_n))     h ← z ⊙ h + (1 − z) ⊙ n

    It computes what ``torch.nn.GRU`` computes over packed sequences, and faster:

    - what a *distinct* word of the batch adds to the gates, W x + b, is computed once, however
      often the captions repeat the word;
    - matrix products follow autocast, while the state stays in float32;
    - the gradient of U is one matrix product over all steps instead of a sum over them.

    Args:
        input_size: of a word's vector.
        hidden_size: of the state in each direction.
        bidirectional: read both ways.

    Attributes:
        weight_input: (directions, 3 · hidden, input): W_r, W_z, W_n one above the other.
        weight_hidden: (directions, 3 · hidden, hidden): U.
        bias_input: (directions, 3 · hidden): b.
        bias_hidden: (directions, 3 · hidden): c.
    """

    def __init__(self, *, input_size: int, hidden_size: int, bidirectional: bool = False) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.directions = 2 if bidirectional else 1
        gates, bound = 3 * hidden_size, hidden_size**-0.5

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(self.directions, *shape).uniform_(-bound, bound))

        self.weight_input = uniform(gates, input_size)
        self.weight_hidden = uniform(gates, hidden_size)
        self.bias_input = uniform(gates)
        self.bias_hidden = uniform(gates)

    def read(self, table: Tensor, packing: Packing) -> list[Tensor]:
        """See :meth:`RecurrentUnit.read`."""
        found = []
        for number in range(self.directions):
            gates = functional.linear(table, self.weight_input[number], self.bias_input[number])
            packed = _Recurrence.apply(  # type: ignore[no-untyped-call]
                gates,  # (distinct words, 3 · hidden)
                self.weight_hidden[number].to(gates.dtype),
                self.bias_hidden[number].to(gates.dtype),
                packing.words(number),
                packing.running,
            )
            found.append(packed)
        return found


class _Recurrence(torch.autograd.Function):
    """All steps of one direction, and their gradient.

    In the names below, ``before`` is the state that a step starts from, rounded like the gates.
    """

    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor, words: Tensor, running: list[int]
    ) -> Tensor:
        """Rows ``words`` of ``gates`` (distinct words, 3 · hidden) → (all words, hidden)."""
        total, hidden = len(words), weight.shape[1]
        inputs = gates.index_select(0, words)  # (all words, 3 · hidden)
        exact = torch.promote_types(gates.dtype, torch.float32)
        states = gates.new_empty(total, hidden, dtype=exact)
        before, candidate, recalled = gates.new_empty(3, total, hidden).unbind()
        reset_update = gates.new_empty(total, 2 * hidden)
        state = gates.new_zeros(running[0], hidden, dtype=exact)
        for step, texts in steps(running):
            state = state[:texts]
            own = functional.linear(before[step].copy_(state), weight, bias)  # (texts, 3 · hidden)
            torch.add(inputs[step, : 2 * hidden], own[:, : 2 * hidden], out=reset_update[step])
            reset, update = reset_update[step].sigmoid_().chunk(2, dim=1)
            recalled[step] = own[:, 2 * hidden :]
            torch.addcmul(inputs[step, 2 * hidden :], reset, recalled[step], out=candidate[step])
            new = candidate[step].tanh_().to(exact)
            state = torch.lerp(new, state, update.to(exact), out=states[step])
        ctx.save_for_backward(weight, words, before, candidate, recalled, reset_update)
        ctx.running, ctx.distinct = running, len(gates)
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """(all words, hidden) → gradients of the gates, U and c."""
        weight, words, before, candidate, recalled, reset_update = ctx.saved_tensors
        total, hidden = gradient.shape
        pushed = reset_update.new_empty(total, 3 * hidden)  # on U h + c
        pushed_candidate = reset_update.new_empty(total, hidden)  # on W_n x + b_n
        later = gradient.new_zeros(0, hidden)  # on the state, from the steps behind
        for step, _ in reversed(steps(ctx.running)):
            on_state = gradient[step].clone()  # (texts, hidden)
            on_state[: len(later)] += later
            reset, update = reset_update[step].chunk(2, dim=1)
            on_rounded = on_state.to(update.dtype)
            on_update = on_rounded * (before[step] - candidate[step])
            pushed[step, hidden : 2 * hidden] = _sigmoid_backward(on_update, update)
            on_candidate = torch.addcmul(on_rounded, on_rounded, update, value=-1)
            on_candidate = _tanh_backward(on_candidate, candidate[step])
            pushed_candidate[step] = on_candidate
            pushed[step, :hidden] = _sigmoid_backward(on_candidate * recalled[step], reset)
            torch.mul(on_candidate, reset, out=pushed[step, 2 * hidden :])
            through = torch.mm(pushed[step], weight).to(on_state.dtype)  # (texts, hidden)
            later = torch.addcmul(through, on_state, update.to(on_state.dtype))
        on_weight, on_bias = torch.mm(pushed.T, before), pushed.sum(dim=0)
        pushed[:, 2 * hidden :] = pushed_candidate  # now on W x + b
        on_gates = gradient.new_zeros(ctx.distinct, 3 * hidden)
        on_gates.index_add_(0, words, pushed.to(gradient.dtype))
        return on_gates.to(pushed.dtype), on_weight, on_bias, None, None
