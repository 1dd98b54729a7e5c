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


def fields(data):
    """Number and value of each protobuf field of a message; of those of a fixed size only the place is skipped."""
    at = 0

    def integer():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = integer()
        if key & 7 == 0:
            yield key >> 3, integer()
        elif key & 7 == 2:
            length = integer()
            yield key >> 3, data[at : at + length]
            at += length
        else:
            at += 8 if key & 7 == 1 else 4


def is_half(model):
    """Whether the weights are of 16 bits: the type (field 2) of a tensor (5) of the graph (7) is FLOAT16 (10)."""
    for number, graph in fields(memoryview(model)):
        if number == 7:
            for kind, tensor in fields(graph):
                if kind == 5 and any(entry == (2, 10) for entry in fields(tensor)):
                    return True
    return False


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


def read(path):
    with open(path, "rb") as file:
        return file.read()


def open_session(request, names):
    """The original without optimisations, which break some files."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    model = request["model"]
    if names:
        folder = os.path.dirname(os.path.abspath(model))
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        model = with_outputs(read(model), names)
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
    answer = {"version": onnxruntime.__version__, "raw": False, "half": is_half(read(request["model"]))}
    answer.update(shapes=[], moves=[])
    inputs, moved, batch = {}, {}, 1
    for value in session.get_inputs():
        inputs[value.name], raw, count = feed(folder, request, value)
        moved[value.name] = inputs[value.name]
        if not raw and len(value.shape) == 4:
            moved[value.name] = (inputs[value.name] * (1 + 1e-6)).astype(inputs[value.name].dtype)
        answer["raw"] |= raw
        batch = max(batch, count)
    for number, pair in enumerate(zip(session.run(wanted, inputs), session.run(wanted, moved))):
        found, other = [numpy.asarray(value).astype("<f4") for value in pair]
        with numpy.errstate(all="ignore"):
            change = numpy.abs(other - found) / numpy.maximum(numpy.abs(found), 1)
        answer["moves"].append(float(numpy.nan_to_num(change, posinf=0).max(initial=0)))
        if batch > 1 and found.ndim and found.shape[0] == batch:
            found = found[:1]
        numpy.ascontiguousarray(found).tofile(os.path.join(folder, f"output{number}"))
        answer["shapes"].append(list(found.shape))
    with open(os.path.join(folder, "answer"), "w", encoding="utf-8") as file:
        json.dump(answer, file)


try:
    main()
except Exception as error:
    end(4, f"{type(error).__name__}: {error}")
