import json

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.numpy import save_file

from export import document, to_onnx
from model import ACTIVATIONS, PIXEL_MEAN, PIXEL_STD, Detector


def trained(activation: str) -> Detector:
    """A network with statistics that folding must not lose."""
    torch.manual_seed(2)
    model = Detector("nano", 3, (0.7, 0.5, 0.3), activation=activation)
    for _ in range(20):
        model.train()(torch.rand(4, 3, 64, 96) * 255)
    for parameter in model.heads.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval().to(memory_format=torch.channels_last)


def run(doc: dict, tensors: dict, picture: torch.Tensor) -> dict[str, torch.Tensor]:
    """All maps, as docs/MODEL_FORMAT.md reads the document."""
    kinds = {"sigmoid": torch.sigmoid, "hard_swish": F.hardswish, "silu": F.silu, "relu": F.relu}
    maps = {doc["graph"]["input"]: picture}
    for node in doc["graph"]["nodes"]:
        x = maps[node["inputs"][0]]
        if node["op"] == "resize":
            maps[node["name"]] = F.interpolate(x, node["size"], mode="nearest")
            continue
        weight, bias = (torch.from_numpy(tensors[node[k]]).float() for k in ("weight", "bias"))
        y = F.conv2d(x, weight, bias, node["stride"], node["padding"][0])
        if "residual" in node:
            y = y + maps[node["inputs"][1]]
        maps[node["name"]] = kinds[node["activation"]["kind"]](y) if "activation" in node else y
    return maps


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_document_and_onnx_do_what_the_network_does(activation, tmp_path):
    model = trained(activation)
    doc, tensors = document(model, ["a", "b", "c"], 64, 96, {"name": "test"})
    save_file(tensors, tmp_path / "test.safetensors", metadata={"tilehawk": json.dumps(doc)})
    with safe_open(tmp_path / "test.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["tilehawk"]) == doc
        tensors = {name: file.get_tensor(name) for name in tensors}
    pixels = (torch.rand(1, 3, 64, 96) * 255).round()
    picture = (pixels - PIXEL_MEAN) / PIXEL_STD
    maps = run(doc, tensors, picture)
    with torch.no_grad():
        outputs = model(pixels)
    wanted = {"focus": outputs.focus.sigmoid()}
    for level in range(2):
        wanted[f"classes{level}"] = outputs.classes[level].sigmoid()
        wanted[f"distances{level}"] = outputs.distances[level]
    for name, value in wanted.items():
        assert torch.allclose(maps[name], value, atol=0.02, rtol=0.02), name

    session = onnxruntime.InferenceSession(to_onnx(doc, tensors).SerializeToString())
    names = [o.name for o in session.get_outputs()]
    for name, value in zip(names, session.run(None, {"picture": picture.numpy()}), strict=True):
        assert torch.allclose(torch.from_numpy(value), maps[name], atol=1e-4), name
    assert set(names) == set(wanted)


def test_a_factor_of_zero_cannot_be_folded():
    with pytest.raises(ValueError, match="cannot be folded"):
        document(Detector("nano", 2, (0.0, 1.0, 1.0)), ["a", "b"], 64, 64, {"name": "test"})
