import torch

from assign import TOP, Cells, align, pairs, rank_within
from losses import Targets, distance_loss, expected_distances, focus_labels, iou, losses
from model import BINS, Detector, Outputs


def cells(side: int = 64) -> Cells:
    return Cells.of([(side // 4, side // 4), (side // 8, side // 8)], (4, 8), torch.device("cpu"))


def test_pairs_are_the_cells_in_each_box():
    boxes = torch.tensor([[3.0, 5.0, 30.0, 17.0], [60.0, 60.0, 64.0, 64.0], [0.0, 0.0, 64.0, 64.0]])
    grid = cells()
    objects, indices = pairs(boxes, grid, (4, 8))
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    reach = torch.maximum(half[:, None], grid.strides[None, :, None])
    wanted = ((grid.centres[None] - centre[:, None]).abs() <= reach).all(2)
    got = torch.zeros_like(wanted)
    got[objects, indices] = True
    assert len(objects) == int(wanted.sum())
    assert torch.equal(got, wanted)


def test_ranks_within_groups():
    groups = torch.tensor([1, 0, 1, 0, 1])
    values = torch.tensor([0.5, 1.0, 0.7, 2.0, 0.5])
    assert rank_within(groups, values).tolist() == [1, 1, 0, 0, 2]


def test_a_cell_goes_to_one_object_and_the_best_cell_gets_the_best_iou():
    objects = torch.tensor([0, 0, 1])
    chosen, target = align(objects, torch.tensor([5, 6, 6]), torch.tensor([0.9, 0.8, 0.5]), torch.tensor([0.8, 0.6, 0.7]))
    assert sorted(chosen.tolist()) == [0, 2]
    assert torch.allclose(target, torch.tensor([0.8, 0.7]), atol=1e-4)


def test_an_object_takes_a_limited_number_of_cells():
    objects = torch.zeros(40, dtype=torch.long)
    chosen, _ = align(objects, torch.arange(40), torch.rand(40), torch.rand(40))
    assert len(chosen) == TOP


def test_iou_of_known_boxes():
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    b = torch.tensor([[1.0, 0.0, 3.0, 2.0]])
    assert torch.allclose(iou(a, b), torch.tensor([1 / 3]), atol=1e-5)
    assert float(iou(a, a, complete=True)) > 0.999
    assert float(iou(a, b, complete=True)) < 1 / 3


def test_distance_loss_is_least_at_the_wanted_distance():
    wanted = torch.full((1, 4), 3.25)
    exact = torch.full((1, 4, BINS), -30.0)
    exact[..., 3], exact[..., 4] = torch.tensor(0.75).log(), torch.tensor(0.25).log()
    logits = exact.reshape(1, -1)
    assert torch.allclose(expected_distances(logits), wanted, atol=1e-4)
    assert distance_loss(logits, wanted) < distance_loss(logits + torch.randn_like(logits), wanted)


def test_focus_labels_small_wins_over_unsure():
    boxes = torch.tensor([[0.0, 0.0, 80.0, 80.0], [8.0, 8.0, 24.0, 24.0], [100.0, 100.0, 103.0, 103.0]])
    labels = focus_labels(Targets(boxes, torch.zeros(3, dtype=torch.long), torch.zeros(3, dtype=torch.long)), 1, 20, 20)
    assert int((labels == 1).sum()) == 4
    assert int((labels == -1).sum()) == 100 - 4 + 1
    assert labels[0, 12, 12] == -1


def test_losses_of_pictures_without_objects_are_finite():
    model = Detector("nano", 2)
    empty = Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    terms = losses(model(torch.zeros(2, 3, 64, 64)), empty)
    sum(terms.values()).backward()
    assert all(torch.isfinite(t) for t in terms.values())


def test_perfect_outputs_cost_less():
    shapes = [(16, 16), (8, 8)]
    targets = Targets(torch.tensor([[8.0, 8.0, 24.0, 24.0]]), torch.tensor([1]), torch.tensor([0]))
    classes = [torch.full((1, 2, *s), -9.0) for s in shapes]
    distances = [torch.zeros(1, 4 * BINS, *s) for s in shapes]
    good = Outputs([c.clone() for c in classes], [d.clone() for d in distances], torch.zeros(1, 1, 8, 8))
    good.classes[0][0, 1, 3:5, 3:5] = 9
    for row in (3, 4):
        for column in (3, 4):
            at_x, at_y = column + 0.5, row + 0.5
            for side, distance in enumerate((at_x - 2, at_y - 2, 6 - at_x, 6 - at_y)):
                low = int(distance)
                good.distances[0][0, side * BINS + low : side * BINS + low + 2, row, column] = 20
    bad = Outputs(classes, distances, good.focus)
    assert losses(good, targets)["box"] < 0.3 * losses(bad, targets)["box"]
