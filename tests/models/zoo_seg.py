"""Dense maps (segmentation), and well-known backbones from torchvision and timm as classifiers or feature maps."""

import numpy as np
import onnxruntime as ort
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from zoo import calibrate, export, hand, model, nchw, randomise, weights


def unit(i, o, k=3, s=1, d=1, act=nn.ReLU):
    return nn.Sequential(nn.Conv2d(i, o, k, s, d * (k // 2), d, bias=False), nn.BatchNorm2d(o), act())


class Unet(nn.Module):
    def __init__(self, learned=True, classes=6):
        super().__init__()
        double = lambda i, o: nn.Sequential(unit(i, o), unit(o, o))
        self.down = nn.ModuleList([double(3, 12), double(12, 24), double(24, 48)])
        blur = lambda: nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        rise = lambda i, o: nn.ConvTranspose2d(i, o, 2, 2) if learned else nn.Sequential(blur(), nn.Conv2d(i, o, 1))
        self.rise = nn.ModuleList([rise(48, 24), rise(24, 12)])
        self.up = nn.ModuleList([double(48, 24), double(24, 12)])
        self.last = nn.Conv2d(12, classes, 1)

    def forward(self, x):
        kept = []
        for i, down in enumerate(self.down):
            x = down(F.max_pool2d(x, 2) if i else x)
            kept.append(x)
        for rise, up, skip in zip(self.rise, self.up, kept[-2::-1]):
            y = rise(x)  # padded to the skip's size, as most U-Nets do
            dy, dx = skip.shape[2] - y.shape[2], skip.shape[3] - y.shape[3]
            x = up(torch.cat([skip, F.pad(y, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])], 1))
        return self.last(x)


class DeepLab(nn.Module):
    def __init__(self, classes=6):
        super().__init__()
        self.stem = nn.Sequential(unit(3, 16, 3, 2), unit(16, 24, 3, 2), unit(24, 32, 3, 2), unit(32, 32, 3, 1, 2))
        self.aspp = nn.ModuleList([unit(32, 16, 1), unit(32, 16, d=6), unit(32, 16, d=12)])
        self.pool, self.join = nn.Sequential(nn.AdaptiveAvgPool2d(1), unit(32, 16, 1)), unit(64, 24, 1)
        self.low, self.last = unit(16, 8, 1), nn.Sequential(unit(32, 24), nn.Conv2d(24, classes, 1))

    def forward(self, x):
        low = self.stem[0](x)
        high = self.stem[1:](low)
        whole = F.interpolate(self.pool(high), size=high.shape[2:], mode="bilinear", align_corners=True)
        y = self.join(torch.cat([*(m(high) for m in self.aspp), whole], 1))
        y = F.interpolate(y, size=low.shape[2:], mode="bilinear", align_corners=True)
        y = self.last(torch.cat([y, self.low(low)], 1))
        return F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=True)


class Block(nn.Module):
    def __init__(self, c, heads, reduce=1):
        super().__init__()
        self.n1, self.n2, self.heads = nn.LayerNorm(c), nn.LayerNorm(c, eps=1e-6), heads
        self.q, self.kv, self.out = nn.Linear(c, c), nn.Linear(c, 2 * c, bias=False), nn.Linear(c, c)
        self.mlp = nn.Sequential(nn.Linear(c, 3 * c), nn.GELU(), nn.Linear(3 * c, c))
        self.reduce = nn.Conv2d(c, c, reduce, reduce) if reduce > 1 else None

    def forward(self, x, h, w):
        n, t, c = x.shape
        y = self.n1(x)
        q = self.q(y).view(n, t, self.heads, -1).transpose(1, 2)
        if self.reduce is not None:
            y = self.reduce(y.transpose(1, 2).reshape(n, c, h, w)).flatten(2).transpose(1, 2)
        k, v = self.kv(y).view(n, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5).softmax(-1)
        x = x + self.out((a @ v).transpose(1, 2).reshape(n, t, c))
        return x + self.mlp(self.n2(x))


class Vit(nn.Module):
    """Patches of 16, two blocks with a learned position (and a class token if asked), a linear head per patch."""

    def __init__(self, size, c=48, classes=6, reduce=1, token=False):
        super().__init__()
        self.patch, count = nn.Conv2d(3, c, 16, 16), (size[0] // 16) * (size[1] // 16) + token
        self.position = nn.Parameter(torch.randn(1, count, c) * 0.3)
        self.token = nn.Parameter(torch.randn(1, 1, c)) if token else None
        self.blocks = nn.ModuleList(Block(c, 4, reduce) for _ in range(2))
        self.norm, self.last = nn.LayerNorm(c), nn.Linear(c, classes)

    def forward(self, x):
        x = self.patch(x)
        n, c, h, w = x.shape
        x = x.flatten(2).transpose(1, 2)
        if self.token is not None:
            x = torch.cat([self.token.expand(n, -1, -1), x], 1)
        x = x + self.position
        for block in self.blocks:
            x = block(x, h, w)
        x = self.last(self.norm(x)[:, int(self.token is not None) :])
        return F.interpolate(x.transpose(1, 2).reshape(n, -1, h, w), scale_factor=4, mode="bilinear")


class After(nn.Module):
    def __init__(self, net, function):
        super().__init__()
        self.net, self.function = net, function

    def forward(self, x):
        return self.function(self.net(x))


def segment(path, make, size=(128, 160), opset=17, after=None, batch=1, **how):
    x = nchw(size, batch, 1 / 64, 110.0)
    net = randomise(make(size), x)
    last = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))][-1]
    calibrate(net, x, [(last, 0.0, 2.0)])
    return export(After(net, after) if after else net, x, path, opset, **how)


ANY = {"images": {0: "n", 2: "h", 3: "w"}}
model("seg_unet", make=lambda s: Unet(), opset=12)(segment)
model("seg_unet_odd_sigmoid", make=lambda s: Unet(True, 1), size=(101, 134), after=torch.sigmoid)(segment)
model("seg_unet_bilinear_softmax", make=lambda s: Unet(False), after=lambda y: y.softmax(1), opset=11)(segment)
model("seg_unet_dynamic", make=lambda s: Unet(), dynamic=ANY, batch=2)(segment)
model("seg_deeplab", make=lambda s: DeepLab(), size=(160, 192), opset=13)(segment)
model("seg_deeplab_raw", make=lambda s: DeepLab(), raw=True, opset=11)(segment)
model("seg_deeplab_argmax", make=lambda s: DeepLab(), after=lambda y: y.argmax(1), opset=11)(segment)
model("seg_deeplab_nhwc_out", make=lambda s: DeepLab(), after=lambda y: y.permute(0, 2, 3, 1).softmax(-1))(segment)
model("seg_vit", make=Vit)(segment)
model("seg_vit_op12", make=Vit, opset=12)(segment)
model("seg_vit_token", make=lambda s: Vit(s, token=True), size=(96, 128))(segment)
model("seg_vit_reduced", make=lambda s: Vit(s, reduce=2))(segment)
model("seg_vit_dynamo", make=Vit, opset=None, dynamo=True, external_data=False)(segment)


@model("seg_tf2onnx")
def _(path, opset=13):
    """NHWC in and out with TensorFlow's habits: pads on one side, biases as Add, sizes computed, class maps by ArgMax."""
    text = """t = Transpose<perm=[0,3,1,2]>(input_1)
    a = Conv<pads=[0,0,1,1], strides=[2,2], kernel_shape=[3,3], dilations=[1,1], group=1>(t, w1)
    a1 = Add(a, b1) a2 = Clip(a1, zero, six)
    d = Conv<pads=[1,1,1,1], group=12, kernel_shape=[3,3]>(a2, wd) d1 = BatchNormalization<epsilon=0.001>(d, g, b, m, v)
    d2 = Clip(d1, zero, six) p = Conv<pads=[0,0,1,1], strides=[2,2], kernel_shape=[3,3]>(d2, wp) p1 = Add(p, b2)
    p2 = Relu(p1) dd = Conv<pads=[2,2,2,2], dilations=[2,2], kernel_shape=[3,3]>(p2, wa) dr = Relu(dd)
    gp = ReduceMean<axes=[2,3], keepdims=0>(dr) gd = MatMul(gp, dense) gb = Add(gd, db) gs = Sigmoid(gb)
    gu = Unsqueeze(gs, hw) gm = Mul(dr, gu)
    n1 = Transpose<perm=[0,2,3,1]>(gm) n2 = MatMul(n1, channels) n3 = Add(n2, cb) n4 = Transpose<perm=[0,3,1,2]>(n3)
    sh = Shape(a2) s32 = Cast<to=6>(sh) sp = Slice(s32, two, four, axis0) s64 = Cast<to=7>(sp)
    front = Shape(n4) nc = Slice(front, axis0, two, axis0) target = Concat<axis=0>(nc, s64)
    up = Resize<coordinate_transformation_mode="half_pixel", mode="linear">(n4, none, none, target)
    cat = Concat<axis=1>(up, a2) last = Conv<kernel_shape=[1,1]>(cat, wl, bl)
    big = Resize<coordinate_transformation_mode="asymmetric", mode="nearest", nearest_mode="floor">(last, none, twice)
    out = Transpose<perm=[0,2,3,1]>(big) Softmax_0 = Softmax<axis=3>(out) ArgMax_0 = ArgMax<axis=3, keepdims=0>(out)"""
    tensors = weights(
        w1=(12, 3, 3, 3), wd=(12, 1, 3, 3), wp=(16, 12, 3, 3), wa=(16, 16, 3, 3), dense=(16, 16), channels=(16, 10),
        wl=(6, 22, 1, 1), b1=(12,), b2=(16,), db=(16,), cb=(10,), bl=(6,), g=(12,), b=(12,), m=(12,),
    )  # fmt: skip
    tensors |= {k: tensors[k].reshape(1, -1, 1, 1) for k in ("b1", "b2")}
    tensors["wl"], tensors["channels"] = tensors["wl"] * 8, tensors["channels"] * 4
    tensors |= {"v": np.random.uniform(0.5, 1.5, 12).astype(np.float32), "zero": np.float32(0), "six": np.float32(6)}
    tensors |= {k: np.array(v) for k, v in {"two": [2], "four": [4], "axis0": [0], "hw": [2, 3]}.items()}
    tensors |= {"none": np.zeros(0, np.float32), "twice": np.float32([1, 1, 2, 2])}
    tensors["g"] += 1
    x = nchw((96, 128), scale=1 / 127.5, mean=127.5).permute(0, 2, 3, 1).contiguous().numpy()
    hand(path, text, {"input_1": x}, opset, tensors=tensors, outputs=["last"])
    tensors["bl"] -= ort.InferenceSession(str(path)).run(None, {"input_1": x})[0].mean((0, 2, 3))  # so that classes vary
    return hand(path, text, {"input_1": x}, opset, tensors=tensors, outputs=["Softmax_0", "ArgMax_0"])


# --- backbones --------------------------------------------------------------------------------------------------------


def backbone(path, make, size=(192, 256), opset=17, **how):
    x = nchw(size, 1, 1 / 64, 110.0)
    return export(randomise(make(), x), x, path, opset, **how)


FEATURES = {  # timm's name -> opset; its maps at every stride
    "mobilenetv3_small_050": 11, "efficientnet_lite0": 12, "ghostnet_050": 13, "convnext_atto": 17, "repvgg_a0": 11,
    "resnet18": 9, "hardcorenas_a": 12, "mobilenetv4_conv_small_050": 17, "edgenext_xx_small": 17, "starnet_s1": 17,
    "repvit_m0_9": 17, "poolformerv2_s12": 17,
}  # fmt: skip
for name, opset in FEATURES.items():
    make = lambda name=name: timm.create_model(name, pretrained=False, features_only=True)
    model(f"timm_{name}", make=make, opset=opset)(backbone)
small = lambda name: lambda: timm.create_model(name, pretrained=False, num_classes=20)
model("timm_vit_tiny", make=small("vit_tiny_patch16_224"), size=(224, 224))(backbone)
model("timm_mobilevit_xxs", make=small("mobilevit_xxs"), size=(256, 256), opset=14)(backbone)
swin = {"depths": (2, 2, 2), "embed_dim": 32, "num_heads": (2, 4, 8), "window_size": 7, "img_size": 224, "num_classes": 20}
model("timm_swin", make=lambda: timm.models.swin_transformer.SwinTransformer(**swin), size=(224, 224))(backbone)
VISION = {
    "shufflenet_v2_x0_5": 11,
    "squeezenet1_1": 9,
    "mobilenet_v2": 10,
    "regnet_y_400mf": 12,
    "mnasnet0_5": 13,
    "densenet121": 9,
}
for name, opset in VISION.items():
    make = lambda name=name: getattr(torchvision.models, name)(weights=None, num_classes=20)
    model(f"vision_{name}", make=make, opset=opset)(backbone)
for name in ("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
    make = lambda name=name: After(
        getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None, num_classes=6), lambda out: out["out"]
    )
    model(f"vision_{name}", make=make, opset=12)(backbone)
