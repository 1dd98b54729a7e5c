"""Detection heads in the layouts people's files have, each on a small pyramid of its own; and torchvision's detectors."""

import torch
import torch.nn.functional as F
from torch import nn
from zoo import calibrate, export, model, nchw, randomise

CLASSES = 20


def unit(i, o, k=3, s=1, act=nn.SiLU, groups=1):
    layers = [nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, *([act()] if act else []))


class Csp(nn.Module):
    def __init__(self, c, act):
        super().__init__()
        self.a, self.b, self.c = unit(c, c // 2, 1, act=act), unit(c, c // 2, 1, act=act), unit(c, c, 1, act=act)
        self.m = nn.Sequential(unit(c // 2, c // 2, 1, act=act), unit(c // 2, c // 2, act=act))

    def forward(self, x):
        a = self.a(x)
        return self.c(torch.cat([a + self.m(a), self.b(x)], 1))


class Elan(nn.Module):
    def __init__(self, c, act):
        super().__init__()
        self.a, self.b = unit(c, c // 2, 1, act=act), unit(c, c // 2, 1, act=act)
        self.c, self.d, self.e = unit(c // 2, c // 2, act=act), unit(c // 2, c // 2, act=act), unit(2 * c, c, 1, act=act)

    def forward(self, x):
        parts = [self.a(x), self.b(x)]
        parts += [self.c(parts[1])]
        parts += [self.d(parts[2])]
        return self.e(torch.cat(parts[::-1], 1))


class Shuffle(nn.Module):
    def __init__(self, c, act):
        super().__init__()
        h = c // 2
        self.m = nn.Sequential(unit(h, h, 1, act=act), unit(h, h, 5, groups=h, act=None), unit(h, h, 1, act=act))

    def forward(self, x):
        n, c, h, w = x.shape
        a, b = x.chunk(2, 1)
        x = torch.cat([a, self.m(b)], 1)
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class Squeeze(nn.Module):
    def __init__(self, c, act):
        super().__init__()
        self.m = nn.Sequential(unit(c, 2 * c, 1, act=act), unit(2 * c, 2 * c, 5, groups=2 * c, act=act))
        self.fc, self.out = nn.Conv2d(2 * c, 2 * c, 1), unit(2 * c, c, 1, act=None)

    def forward(self, x):
        y = self.m(x)
        return x + self.out(y * F.hardsigmoid(self.fc(y.mean((2, 3), keepdim=True))))


class Pyramid(nn.Module):
    """Maps of 32 channels at strides 8, 16, 32 and on; a way down from 32 to 8 by nearest upsampling."""

    def __init__(self, block=Csp, act=nn.SiLU, levels=3, focus=False, c=32):
        super().__init__()
        self.focus = focus
        self.stem = unit(12, c, act=act) if focus else unit(3, c, s=2, act=act)
        down = lambda: nn.Sequential(unit(c, c, s=2, act=act), block(c, act))
        self.two, self.stages = down(), nn.ModuleList(down() for _ in range(3))
        self.lateral = nn.ModuleList(unit(2 * c, c, 1, act=act) for _ in range(2))
        self.more = nn.ModuleList(unit(c, c, s=2, act=act) for _ in range(levels - 3))

    def forward(self, x):
        if self.focus:
            x = torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1)
        x, maps = self.two(self.stem(x)), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        for i in (1, 0):
            up = F.interpolate(maps[i + 1], scale_factor=2, mode="nearest")
            maps[i] = self.lateral[i](torch.cat([maps[i], up], 1))
        for more in self.more:
            maps.append(more(maps[-1]))
        return maps


class Out(nn.Conv2d):
    """A last convolution whose values shall have this mean and deviation."""

    def __init__(self, i, o, mean=0.0, std=1.0, k=1):
        super().__init__(i, o, k, padding=k // 2)
        self.target = (mean, std)


class Scale(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(value))

    def forward(self, x):
        return x * self.scale


class Head(nn.Module):
    """Per level: a tower for scores and one for boxes (one module for all levels if shared), then named outputs."""

    def __init__(self, outs, levels=3, block=Csp, act=nn.SiLU, focus=False, shared=False, tower=1):
        super().__init__()
        self.body, self.strides = Pyramid(block, act, levels, focus), [8 * 2**i for i in range(levels)]
        towers = lambda: nn.ModuleList(nn.Sequential(*(unit(32, 32, act=act) for _ in range(tower))) for _ in range(2))
        heads = lambda: nn.ModuleList(Out(32, *o) for o in outs)
        self.towers = nn.ModuleList([towers()] * levels if shared else [towers() for _ in range(levels)])
        self.heads = nn.ModuleList([heads()] * levels if shared else [heads() for _ in range(levels)])
        self.scales = nn.ModuleList(Scale(0.8 + 0.15 * i) for i in range(levels))

    def maps(self, x):
        """For every level: the head's maps, the first of the score tower, the others of the box tower."""
        for f, towers, heads in zip(self.body(x), self.towers, self.heads):
            score, box = towers[0](f), towers[1](f)
            yield [head(box if i else score) for i, head in enumerate(heads)]


def grid(h, w, offset=0.0):
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack((x, y), -1).float() + offset


def flat(x):  # [N, C, H, W] -> [N, H*W, C]
    return x.flatten(2).transpose(1, 2)


SCORE, BOX = (CLASSES, -2.5, 1.5), (4, 0.5, 0.5)


def head(name, opset=17, size=(256, 320), names=("output",), how=None, scale=1 / 64, mean=110.0, **options):
    """Registers a Head whose decorated function makes its outputs of `self` and the picture."""

    def register(forward):
        def write(path):
            kind = type("Named", (Head,), {"forward": forward})
            x = nchw(size, 1, scale, mean)
            net = randomise(kind(**options), x)
            calibrate(net, x, [(m, *m.target) for m in net.modules() if isinstance(m, Out)])
            return export(net, x, path, opset, names, **(how or {}))

        model(name)(write)
        return forward

    return register


# --- YOLO -------------------------------------------------------------------------------------------------------------

ANCHORS = torch.tensor([[[10, 13], [16, 30], [33, 23]], [[30, 61], [62, 45], [59, 119]], [[116, 90], [156, 198], [373, 326]]])
ANCHORED = [(3 * (5 + CLASSES), -0.5, 1.5)]
UNIT = {"scale": 1 / 255, "mean": 0.0}


def anchored(self, x):  # [N, 3, H, W, 5+C] logits per level, as YOLOv5 trains
    for (m,) in self.maps(x):
        n, _, h, w = m.shape
        yield m.view(n, 3, 5 + CLASSES, h, w).permute(0, 1, 3, 4, 2).contiguous()


head("yolov5_maps", 12, names=("p3", "p4", "p5"), outs=ANCHORED, **UNIT)(lambda self, x: tuple(m for (m,) in self.maps(x)))
head("yolov5_raw", 12, names=("p3", "p4", "p5"), outs=ANCHORED, **UNIT)(lambda self, x: tuple(anchored(self, x)))
head("yolov5_sigmoid", 17, names=("p3", "p4", "p5"), outs=ANCHORED, focus=True, **UNIT)(
    lambda self, x: tuple(m.sigmoid() for m in anchored(self, x))
)


def yolov5(self, x, inplace=False):
    rows, raw = [], list(anchored(self, x))
    for i, y in enumerate(raw):
        n, _, h, w, _ = y.shape
        y, s, a = y.sigmoid(), self.strides[i], ANCHORS[i].view(1, 3, 1, 1, 2).float()
        g = grid(h, w)
        if inplace:  # releases before 6.0 wrote into slices: ScatterND
            y[..., 0:2] = (y[..., 0:2] * 2.0 - 0.5 + g) * s
            y[..., 2:4] = (y[..., 2:4] * 2) ** 2 * a
        else:
            xy, wh, rest = y.split((2, 2, 1 + CLASSES), 4)
            y = torch.cat(((xy * 2 + (g - 0.5)) * s, (wh * 2) ** 2 * a, rest), 4)
        rows.append(y.view(n, -1, 5 + CLASSES))
    return torch.cat(rows, 1), raw


ANY = {"images": {0: "batch", 2: "height", 3: "width"}, "output": {0: "batch", 1: "anchors"}}
head("yolov5_decoded", 12, outs=ANCHORED, **UNIT)(lambda self, x: yolov5(self, x)[0])
head("yolov5_decoded_and_raw", 11, names=("output", "p3", "p4", "p5"), outs=ANCHORED, focus=True, **UNIT)(
    lambda self, x: (yolov5(self, x)[0], *yolov5(self, x)[1])
)
head("yolov5_inplace", 11, outs=ANCHORED, act=nn.Hardswish, focus=True, **UNIT)(lambda self, x: yolov5(self, x, True)[0])
head("yolov5_dynamic", 17, outs=ANCHORED, how={"dynamic": ANY}, **UNIT)(lambda self, x: yolov5(self, x)[0])


@head("yolov7_decoded", 12, outs=ANCHORED, block=Elan, act=lambda: nn.LeakyReLU(0.1), tower=2, **UNIT)
def _(self, x):
    rows = []
    for i, y in enumerate(anchored(self, x)):
        n, _, h, w, _ = y.shape
        xy, wh, rest = y.sigmoid().split((2, 2, 1 + CLASSES), 4)
        s, a = self.strides[i], ANCHORS[i].view(1, 3, 1, 1, 2).float()
        rows.append(torch.cat((xy * (2.0 * s) + s * (grid(h, w) - 0.5), wh**2 * (4 * a), rest), 4).view(n, -1, 5 + CLASSES))
    return torch.cat(rows, 1)


@head("yolov3_decoded", 11, outs=[(ANCHORED[0][0], -0.5, 0.7)], act=lambda: nn.LeakyReLU(0.1), **UNIT)
def _(self, x):
    rows = []
    for i, y in enumerate(anchored(self, x)):
        n, _, h, w, _ = y.shape
        xy, wh = (y[..., :2].sigmoid() + grid(h, w)) * self.strides[i], y[..., 2:4].exp() * ANCHORS[i].view(1, 3, 1, 1, 2)
        rows.append(torch.cat((xy, wh, y[..., 4:].sigmoid()), -1).view(n, -1, 5 + CLASSES))
    return torch.cat(rows, 1)


def yolox(self, x, decode):
    rows = []
    for score, box, obj in self.maps(x):
        rows.append(torch.cat([box, obj.sigmoid(), score.sigmoid()], 1))
    y = torch.cat([row.flatten(2) for row in rows], 2).permute(0, 2, 1)
    if decode:
        sizes = [row.shape[2:] for row in rows]
        grids = torch.cat([grid(h, w).view(1, -1, 2) for h, w in sizes], 1)
        strides = torch.cat([torch.full((1, h * w, 1), float(s)) for (h, w), s in zip(sizes, self.strides)], 1)
        y = torch.cat([(y[..., :2] + grids) * strides, y[..., 2:4].exp() * strides, y[..., 4:]], -1)
    return y


YOLOX = {"outs": [SCORE, BOX, (1, -1.0, 1.5)], "focus": True, "scale": 1.0, "mean": 0.0}
head("yolox_raw", 11, **YOLOX)(lambda self, x: yolox(self, x, False))
head("yolox_decoded", 12, **YOLOX)(lambda self, x: yolox(self, x, True))
head("yolox_levels", 17, names=[f"p{i}" for i in range(9)], **YOLOX)(
    lambda self, x: tuple(m for maps in self.maps(x) for m in maps)
)

# --- distributions of distances ---------------------------------------------------------------------------------------


def ppyoloe(self, x, divide=None):
    boxes, scores, points, strides = [], [], [], []
    for s, (score, box) in zip(self.strides, self.maps(x)):
        n, _, h, w = score.shape
        parts = box.view(n, 4, 17, h * w).permute(0, 2, 3, 1).softmax(1)
        boxes.append(F.conv2d(parts, torch.arange(17.0).view(1, 17, 1, 1)).squeeze(1))
        scores.append(score.sigmoid().view(n, CLASSES, h * w))
        points.append(grid(h, w, 0.5).view(-1, 2))
        strides.append(torch.full((h * w, 1), float(s)))
    lt, rb = torch.cat(boxes, 1).split(2, -1)
    points, strides = torch.cat(points), torch.cat(strides)
    box = torch.cat([points - lt, points + rb], -1) * strides
    if divide is not None:
        box = box / torch.cat([divide.flip(1), divide.flip(1)], 1).unsqueeze(1)
    return box, torch.cat(scores, 2)


PPYOLOE = {"outs": [SCORE, (68, 0.0, 1.5)], "block": Squeeze, "names": ("boxes", "scores")}
head("ppyoloe", 11, **PPYOLOE)(ppyoloe)
head("ppyoloe_rows", 17, **PPYOLOE)(lambda self, x: (ppyoloe(self, x)[0], ppyoloe(self, x)[1].transpose(1, 2)))


@model("ppyoloe_scale_factor")
def _(path):
    """PaddleDetection's export: a second input by which boxes are divided."""
    x = nchw((320, 320), 1, 1 / 255)
    outs = {k: PPYOLOE[k] for k in ("outs", "block")}
    net = randomise(type("Named", (Head,), {"forward": ppyoloe})(**outs), x)
    calibrate(net, x, [(m, *m.target) for m in net.modules() if isinstance(m, Out)])
    return export(net, (x, torch.tensor([[0.5, 0.8]])), path, 13, PPYOLOE["names"], inputs=("image", "scale_factor"))


GFL = {"outs": [SCORE, (32, 0.0, 1.5)], "levels": 4, "block": Shuffle, "act": lambda: nn.LeakyReLU(0.1)}
PICO = GFL | {"act": nn.Hardswish}
by_level = lambda *kinds, n=5: [f"{kind}_{8 * 2**i}" for kind in kinds for i in range(n)]


def transposed(maps):
    return tuple(m for group in zip(*maps) for m in group)


head("nanodet", 11, **GFL)(
    lambda self, x: torch.cat([torch.cat([s.sigmoid(), b], 1).flatten(2) for s, b in self.maps(x)], 2).permute(0, 2, 1)
)
head("nanodet_levels", 11, names=by_level("cls_pred_stride", "dis_pred_stride", n=4), **GFL)(
    lambda self, x: transposed([flat(s).sigmoid(), flat(b)] for s, b in self.maps(x))
)
head("picodet_levels", 11, names=by_level("score", "distances", n=4), **PICO)(
    lambda self, x: transposed([flat(s.sigmoid()), flat(b)] for s, b in self.maps(x))
)


@head("picodet_decoded", 13, names=("boxes", "scores"), **PICO)
def _(self, x):
    boxes, scores = [], []
    for s, (score, box) in zip(self.strides, self.maps(x)):
        n, _, h, w = score.shape
        far = (flat(box).reshape(-1, 8).softmax(-1) @ torch.arange(8.0)).reshape(n, h * w, 4) * s
        point = (grid(h, w, 0.5) * s).view(1, -1, 2)
        boxes.append(torch.cat([point - far[..., :2], point + far[..., 2:]], -1))
        scores.append(score.sigmoid().flatten(2))
    return torch.cat(boxes, 1), torch.cat(scores, 2)


# --- MMDetection's layout: every score map, then every box map, then the third ----------------------------------------

MM = {"levels": 5, "shared": True, "tower": 2, "act": nn.ReLU, "size": (320, 384)}
THREE = [SCORE, BOX, (1, 0.0, 1.5)]
FIVE = ("cls_score", "bbox_pred", "centerness")


@head("mm_fcos", 11, outs=THREE, names=by_level(*FIVE), **MM)
def _(self, x):
    rows = ([c, F.relu(scale(b)) * s, t] for s, scale, (c, b, t) in zip(self.strides, self.scales, self.maps(x)))
    return transposed(rows)


@head("mm_fcos_exp", 17, outs=THREE, names=by_level(*FIVE), **MM)
def _(self, x):
    return transposed([c, scale(b).exp() * 8, t] for scale, (c, b, t) in zip(self.scales, self.maps(x)))


@head("mm_fcos_decoded", 11, outs=THREE, names=("boxes", "scores"), **MM)
def _(self, x):
    boxes, scores = [], []
    for s, (c, b, t) in zip(self.strides, self.maps(x)):
        point, far = (grid(*c.shape[2:], 0.5) * s).view(1, -1, 2), flat(F.relu(b)) * s
        boxes.append(torch.cat([point - far[..., :2], point + far[..., 2:]], -1))
        scores.append(flat(c).sigmoid() * flat(t).sigmoid())
    return torch.cat(boxes, 1), torch.cat(scores, 1)


@head("mm_atss", 11, outs=[SCORE, (4, 0.0, 0.4), (1, 0.0, 1.5)], names=by_level(*FIVE), **MM)
def _(self, x):
    return transposed([c, scale(b), t] for scale, (c, b, t) in zip(self.scales, self.maps(x)))


@head("mm_tood", 17, outs=THREE, names=by_level(*FIVE[:2]), **MM)
def _(self, x):  # scores joined inside with the map of alignment, distances
    return transposed([(c.sigmoid() * t.sigmoid()).sqrt(), scale(b).exp()] for scale, (c, b, t) in zip(self.scales, self.maps(x)))


@head("mm_vfnet", 13, outs=[SCORE, BOX, BOX], names=by_level(*FIVE[:2]), **MM)
def _(self, x):  # distances refined by a second map
    rows = zip(self.strides, self.scales, self.maps(x))
    return transposed([c, (scale(b).exp() * s).detach() * r.exp()] for s, scale, (c, b, r) in rows)


RETINA = {"outs": [(9 * CLASSES, -2.5, 1.5), (36, 0.0, 0.5)], "names": by_level(*FIVE[:2])}
head("mm_retinanet", 11, **RETINA, **MM)(lambda self, x: transposed(self.maps(x)))
head("mm_gfl", 11, outs=[SCORE, (68, 0.0, 1.5)], names=by_level(*FIVE[:2]), **MM)(
    lambda self, x: transposed([c, scale(b)] for scale, (c, b) in zip(self.scales, self.maps(x)))
)
head("mm_rtmdet", 17, outs=[SCORE, BOX], names=by_level(*FIVE[:2], n=3))(
    lambda self, x: transposed([c, b.exp() * s] for s, (c, b) in zip(self.strides, self.maps(x)))
)

# --- others -----------------------------------------------------------------------------------------------------------


@head(
    "yunet", 11, names=by_level("cls", "obj", "bbox", "kps", n=3), size=(320, 320), scale=1.0, mean=0.0,
    outs=[(1, -1.0, 1.5), BOX, (1, -1.0, 1.5), (10, 0.0, 1.0)], act=nn.ReLU,
)  # fmt: skip
def _(self, x):
    return transposed([flat(c).sigmoid(), flat(o).sigmoid(), flat(b), flat(k)] for c, b, o, k in self.maps(x))


SSD = {"outs": [(3 * (CLASSES + 1), 0.0, 2.0), (12, 0.0, 0.7)], "levels": 5, "act": nn.ReLU, "names": ("scores", "boxes")}
PRIORS = 3


def ssd(self, x, decode):
    scores, boxes = [], []
    for s, (c, b) in zip(self.strides, self.maps(x)):
        n, _, h, w = c.shape
        scores.append(c.permute(0, 2, 3, 1).reshape(n, -1, CLASSES + 1))
        box = b.permute(0, 2, 3, 1).reshape(n, -1, 4)
        if decode:  # corners in 0..1 from centre-size priors with variances 0.1 and 0.2
            centre = (grid(h, w, 0.5) / torch.tensor([w, h])).view(-1, 1, 2).expand(-1, PRIORS, -1).reshape(1, -1, 2)
            size = torch.tensor([[1.0, 1.0], [1.4, 0.7], [0.7, 1.4]]).repeat(h * w, 1)[None] * s * 4 / 320
            xy, wh = centre + box[..., :2] * 0.1 * size, size * torch.exp(box[..., 2:] * 0.2)
            box = torch.cat([xy - wh / 2, xy + wh / 2], -1)
        boxes.append(box)
    scores = torch.cat(scores, 1)
    return scores.softmax(-1) if decode else scores, torch.cat(boxes, 1)


head("ssd_raw", 11, **SSD)(lambda self, x: ssd(self, x, False))
head("ssd_decoded", 17, **SSD)(lambda self, x: ssd(self, x, True))


@head(
    "fastestdet",
    11,
    outs=[(CLASSES, 0.0, 2.0), (4, 0.0, 1.0), (1, 0.0, 1.5)],
    block=Shuffle,
    act=nn.ReLU,
    size=(352, 352),
    **UNIT,
)
def _(self, x):
    _, (c, b, o), _ = self.maps(x)
    return torch.cat([o.sigmoid(), b[:, :2].tanh(), b[:, 2:].sigmoid(), c.softmax(1)], 1)


@head("centernet", 11, outs=[SCORE, (2, 1.0, 0.5), (2, 0.5, 0.2)], names=("heatmap", "size", "offset"))
def _(self, x):  # with the peaks kept by a max pool
    (c, size, offset), *_ = self.maps(x)
    c = c.sigmoid()
    return c * (F.max_pool2d(c, 3, 1, 1) == c).float(), F.relu(size), offset


# --- torchvision ------------------------------------------------------------------------------------------------------


class Vision(nn.Module):
    """A torchvision detector without its resizing before and its choosing after."""

    def __init__(self, net):
        super().__init__()
        self.backbone, self.head = net.backbone, net.head

    def forward(self, x):
        out = self.head(list(self.backbone(x).values()))
        return tuple(out[name] for name in sorted(out))


def torchvision_detector(path, make, names, size=(256, 320), opset=17):
    from torchvision.models.detection import backbone_utils as bu

    net = make(bu)
    x = nchw(size, 1, 1 / 64, 110.0)
    net = randomise(Vision(net), x)
    last = [m for m in net.head.modules() if isinstance(m, nn.Conv2d) and m.out_channels in LAST]
    calibrate(net, x, [(m, -1.0 if m.out_channels % 4 else 0.0, 1.0) for m in last])
    return export(net, x, path, opset, names)


LAST = {36, 9 * 21, 4, 21, 1, 6 * 21, 24}


def register_torchvision():
    from torchvision.models import detection as d
    from torchvision.models.detection import ssdlite

    def retinanet(bu):
        body = bu.mobilenet_backbone(
            backbone_name="mobilenet_v3_small", weights=None, fpn=True, trainable_layers=6, norm_layer=nn.BatchNorm2d
        )
        sizes = tuple((s, int(s * 2 ** (1 / 3)), int(s * 2 ** (2 / 3))) for s in (64, 128, 256))
        rule = d.anchor_utils.AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 3)
        return d.RetinaNet(body, 21, anchor_generator=rule)

    def fcos(bu):
        body = bu.resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5, norm_layer=nn.BatchNorm2d)
        rule = d.anchor_utils.AnchorGenerator(((8,), (16,), (32,), (64,)), ((1.0,),) * 4)
        return d.FCOS(body, 21, anchor_generator=rule)

    lite = lambda bu: ssdlite.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21)
    two = ("bbox_regression", "cls_logits")
    model("torchvision_retinanet", make=retinanet, names=two)(torchvision_detector)
    model("torchvision_fcos", make=fcos, names=("bbox_ctrness", *two), opset=11)(torchvision_detector)
    model("torchvision_ssdlite", make=lite, names=two, size=(320, 320), opset=11)(torchvision_detector)


register_torchvision()
