"""Runs the original of an imported network by ONNX Runtime; see original.rs for what is exchanged."""

import sys

# A file of the working folder must not stand for a module.
sys.path[:] = [entry for entry in sys.path if entry]

import json  # noqa: E402
import os  # noqa: E402


def end(code, message):
    sys.stderr.write(message + "\n")
    sys.exit(code)


try:
    import numpy
    import onnxruntime
except Exception as error:
    end(3, f"{type(error).__name__}: {error}")

TYPES = {
    "tensor(float)": numpy.float32,
    "tensor(float16)": numpy.float16,
    "tensor(double)": numpy.float64,
    "tensor(uint8)": numpy.uint8,
    "tensor(int8)": numpy.int8,
    "tensor(uint16)": numpy.uint16,
    "tensor(int16)": numpy.int16,
    "tensor(int32)": numpy.int32,
    "tensor(int64)": numpy.int64,
}


def field(number, data):
    """A protobuf field of bytes."""
    encoded, length = bytes([number << 3 | 2]), len(data)
    while length > 127:
        encoded += bytes([length & 127 | 128])
        length >>= 7
    return encoded + bytes([length]) + data


def with_outputs(model, names):
    """The model with inner values as outputs: a message that comes again is merged into the first."""
    return model + field(7, b"".join(field(12, field(1, name.encode())) for name in names))


def open_session(request, names):
    """The original without optimisations, which break some files."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    path = request["model"]
    model = path
    if names:
        folder = os.path.dirname(os.path.abspath(path))
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        with open(path, "rb") as file:
            model = with_outputs(file.read(), names)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def feed(folder, request, value):
    """What one input takes, and of a picture whether it takes whole numbers, and its batch."""
    if value.type not in TYPES:
        end(4, f'input "{value.name}" is of type {value.type}, which this check cannot make')
    kind, (height, width) = TYPES[value.type], request["size"]
    if len(value.shape) != 4:
        # A fact about the picture, as PaddleDetection takes them.
        fact = [height, width] if "shape" in value.name else [1, 1]
        return numpy.array([fact], kind), False, 1
    raw = issubclass(kind, numpy.integer)
    pixels = numpy.fromfile(os.path.join(folder, "raw" if raw else "input"), "<f4").reshape(1, 3, height, width)
    if value.shape[1] != 3:
        pixels = pixels.transpose(0, 2, 3, 1)
    batch = value.shape[0] if isinstance(value.shape[0], int) else 1
    return numpy.ascontiguousarray(numpy.repeat(pixels, batch, 0).astype(kind)), raw, batch


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, "request"), encoding="utf-8") as file:
        request = json.load(file)
    wanted = request["outputs"]
    session = open_session(request, [])
    present = [output.name for output in session.get_outputs()]
    inner = [name for name in wanted if name not in present]
    if inner:
        session = open_session(request, inner)
    inputs, answer = {}, {"version": onnxruntime.__version__, "raw": False, "shapes": []}
    batch = 1
    for value in session.get_inputs():
        inputs[value.name], raw, count = feed(folder, request, value)
        answer["raw"] |= raw
        batch = max(batch, count)
    for number, found in enumerate(session.run(wanted, inputs)):
        found = numpy.asarray(found)
        if batch > 1 and found.ndim and found.shape[0] == batch:
            found = found[:1]
        numpy.ascontiguousarray(found).astype("<f4").tofile(os.path.join(folder, f"output{number}"))
        answer["shapes"].append(list(found.shape))
    with open(os.path.join(folder, "answer"), "w", encoding="utf-8") as file:
        json.dump(answer, file)


try:
    main()
except Exception as error:
    end(4, f"{type(error).__name__}: {error}")
