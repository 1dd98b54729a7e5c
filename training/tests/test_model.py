import pytest
import torch
import torch.nn.functional as F

from count import cost
from model import SIZES, ConvUnit, Detector


@pytest.mark.parametrize("size", SIZES)
def test_is_within_its_budget(size):
    measured = cost(Detector(size, 4))
    assert measured.parameters <= SIZES[size].max_parameters
    assert measured.gflop <= SIZES[size].max_gflop


def test_counts_a_known_convolution():
    model = Detector("nano", 4)
    wide = cost(model, 320, 640)
    assert wide.gflop == pytest.approx(2 * cost(model).gflop, rel=1e-9)


@pytest.mark.parametrize(("inputs", "outputs", "side", "stride"), [(3, 8, 3, 2), (8, 8, 3, 1), (8, 5, 1, 1)])
def test_a_unit_folds_into_one_convolution(inputs, outputs, side, stride):
    torch.manual_seed(1)
    unit = ConvUnit(inputs, outputs, side, stride, activation=None)
    for parameter in unit.parameters():
        torch.nn.init.normal_(parameter)
    for _ in range(3):
        unit.train()(torch.randn(4, inputs, 12, 12))
    unit.eval()
    x = torch.randn(2, inputs, 12, 12)
    weight, bias = unit.folded()
    assert torch.allclose(unit(x), F.conv2d(x, weight, bias, stride, side // 2), atol=1e-4)


def test_fusion_factors_are_fixed_unless_learnt():
    pictures = torch.zeros(1, 3, 64, 64)
    for learnt in (False, True):
        model = Detector("nano", 2, (0.5, 0.25, 2.0), learnt)
        sum(m.sum() for m in model(pictures).classes).backward()
        assert (model.alphas.grad is not None) == learnt
    zero, one = Detector("nano", 2, (0.0, 1, 1)), Detector("nano", 2)
    one.load_state_dict(zero.state_dict() | {"alphas": torch.ones(3)})
    assert not torch.equal(zero.eval()(pictures).classes[0], one.eval()(pictures).classes[0])
