import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from evaluate import decode_outputs
from export import document
from model import Detector

pytest.importorskip("sahi")
from sliced import ModelFile


def test_a_model_file_finds_what_its_network_finds(tmp_path):
    torch.manual_seed(3)
    network = Detector("nano", 3, (0.7, 0.5, 0.3)).eval()
    for parameter in network.heads.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    # What f16 keeps, so that both have the same numbers.
    doc, tensors = document(network, ["a", "b", "c"], 64, 96, {"name": "test"})
    save_file(tensors, tmp_path / "m.safetensors", metadata={"tilehawk": json.dumps(doc)})
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    with torch.no_grad():
        expected = decode_outputs(network(torch.from_numpy(picture).permute(2, 0, 1)[None]), 0.4)[0]
        found = ModelFile(tmp_path / "m.safetensors").boxes([picture], 0.4)[0]
    assert min(len(expected[1]), len(found[1])) > 20
    best, order = expected[1].sort(descending=True), np.argsort(-found[1])[:20]
    assert np.abs(best.values[:20].numpy() - found[1][order]).max() < 5e-3
    # Within the picture, as both cut them; f16 moves a side by less than half a pixel.
    whole = expected[0][best.indices[:40]].numpy().clip(0, (96, 64, 96, 64))
    nearest = np.abs(found[0][order][:, None] - whole).max(2).min(1)
    assert nearest.max() < 0.5
