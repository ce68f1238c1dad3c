import torch
from torch import nn

from polyglance.systems.int8 import SCALE, quantise_rows, restore_rows


def test_rows_come_back_within_half_a_level() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(64, 128) * torch.logspace(-3, 1, 64)[:, None]
    stored = quantise_rows({"weight": matrix})
    assert stored["weight"].dtype == torch.int8
    state = dict(stored)
    restore_rows(nn.Identity(), state, "")
    assert set(state) == {"weight"}
    level = matrix.abs().amax(1, keepdim=True) / 127
    assert ((state["weight"] - matrix).abs() <= level * 0.57).all()  # the scale is rounded too


def test_small_tensors_stay_halves_and_zero_rows_stay_zero() -> None:
    stored = quantise_rows({"bias": torch.ones(3), "weight": torch.zeros(64, 64)})
    assert stored["bias"].dtype == torch.float16
    assert f"bias{SCALE}" not in stored
    restore_rows(nn.Identity(), stored, "")
    assert torch.equal(stored["weight"], torch.zeros(64, 64))


def test_a_module_loads_what_was_quantised() -> None:
    torch.manual_seed(0)
    source, target = nn.Linear(128, 64), nn.Linear(128, 64)
    target.register_load_state_dict_pre_hook(restore_rows)
    target.load_state_dict(quantise_rows(source.state_dict()))
    inputs = torch.randn(5, 128)
    torch.testing.assert_close(target(inputs), source(inputs), atol=0.02, rtol=0.02)
