//! The kinds of heads by name.

use std::fmt;
use std::str::FromStr;

/// A kind of head that an import can be told to expect. `C` is the number of classes, `N` that of all cells, `h` and `w`
/// are the sides of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeadKind {
    /// YOLOX.
    Yolox,
    /// Generalised focal loss: NanoDet, PicoDet, GFL.
    Gfl,
    /// Distributions and class logits per level: YOLOv8, v9, v10, v11, v12.
    Yolov8,
    /// Three anchors per cell: YOLOv5, YOLOv7.
    Yolov5,
    /// Decoded boxes as centre and size: YOLOv5 to v12, v26 as exported.
    DecodedCentre,
    /// Decoded boxes as corners: PP-YOLOE, PicoDet, files with their own suppression.
    DecodedCorners,
    /// FCOS: distances in pixels and centreness.
    Fcos,
    /// ATSS: one anchor per cell and centreness.
    Atss,
    /// TOOD: distances in cells.
    Tood,
    /// VFNet, RTMDet: distances in pixels.
    VfNet,
    /// RetinaNet: nine anchors per cell.
    RetinaNet,
    /// YuNet.
    YuNet,
    /// FastestDet.
    FastestDet,
    /// No head: the outputs as they are, for instance class maps of a segmentation.
    Raw,
}

/// Name, outputs, and how box and score come from them.
const KINDS: [(HeadKind, &str, &str, &str); 14] = [
    (
        HeadKind::Yolox,
        "yolox",
        "[1, N, 5 + C] with sigmoid on all but the box, or per level [1, C, h, w], [1, 4, h, w], [1, 1, h, w]",
        "centre (cell + xy) * stride, size exp(wh) * stride; score objectness * class",
    ),
    (
        HeadKind::Gfl,
        "gfl",
        "per level class scores [1, C, h, w] and distances [1, 4 * bins, h, w], or both joined",
        "distances sum(bin * softmax) * stride from (cell + centre) * stride; score class",
    ),
    (
        HeadKind::Yolov8,
        "yolov8",
        "per level [1, 64, h, w] and class logits [1, C, h, w], or [1, 64 + C, h, w]",
        "distances sum(bin * softmax) * stride from (cell + 0.5) * stride; score sigmoid(class)",
    ),
    (
        HeadKind::Yolov5,
        "yolov5",
        "per level [1, 3, h, w, 5 + C] or [1, 3 * (5 + C), h, w], logits or after the sigmoid s",
        "centre (cell + 2 s(xy) - 0.5) * stride, size (2 s(wh))^2 * anchor; score objectness * class",
    ),
    (
        HeadKind::DecodedCentre,
        "decoded-centre",
        "[1, 4 + C, N], [1, N, 4 + C] or with objectness [1, N, 5 + C]; or boxes [1, N, 4] and scores [1, C, N]",
        "centre x, y, width, height in input pixels; score class, times objectness",
    ),
    (
        HeadKind::DecodedCorners,
        "decoded-corners",
        "as decoded-centre",
        "x0, y0, x1, y1 in input pixels; score class, times objectness",
    ),
    (
        HeadKind::Fcos,
        "fcos",
        "per level [1, C, h, w], [1, 4, h, w], [1, 1, h, w]",
        "distances in pixels from (cell + 0.5) * stride; score class * centreness",
    ),
    (
        HeadKind::Atss,
        "atss",
        "per level [1, C, h, w], [1, 4, h, w], [1, 1, h, w]",
        "anchor of 8 strides at cell * stride: centre + 0.1 xy * anchor, size exp(0.2 wh) * anchor; score class * centreness",
    ),
    (
        HeadKind::Tood,
        "tood",
        "per level [1, C, h, w], [1, 4, h, w]",
        "distances in cells from (cell + 0.5) * stride; score class",
    ),
    (
        HeadKind::VfNet,
        "vfnet",
        "per level [1, C, h, w], [1, 4, h, w]",
        "distances in pixels from (cell + 0.5) * stride; score class",
    ),
    (
        HeadKind::RetinaNet,
        "retinanet",
        "per level [1, 9 * C, h, w], [1, 36, h, w]",
        "nine anchors at cell * stride: centre + xy * anchor, size exp(wh) * anchor; score class",
    ),
    (
        HeadKind::YuNet,
        "yunet",
        "per level classes, objectness, boxes, key points: [1, h * w, 1], [1, h * w, 1], [1, h * w, 4], [1, h * w, 10]",
        "centre (cell + xy) * stride, size exp(wh) * stride; score sqrt(class * objectness)",
    ),
    (
        HeadKind::FastestDet,
        "fastestdet",
        "[1, 5 + C, h, w]: objectness, x, y by tanh, width, height by sigmoid, classes by softmax",
        "centre (cell + xy) * stride, size wh * input; score objectness^0.6 * class^0.4",
    ),
    (HeadKind::Raw, "raw", "any", "none: the outputs as they are"),
];

impl HeadKind {
    fn entry(self) -> (&'static str, &'static str, &'static str) {
        KINDS.iter().find(|entry| entry.0 == self).map_or(("", "", ""), |entry| (entry.1, entry.2, entry.3))
    }

    /// All kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|entry| entry.0)
    }

    /// The shapes of its outputs.
    #[must_use]
    pub fn outputs(self) -> &'static str {
        self.entry().1
    }

    /// How box and score come from the outputs.
    #[must_use]
    pub fn formula(self) -> &'static str {
        self.entry().2
    }
}

impl fmt::Display for HeadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().0)
    }
}

impl FromStr for HeadKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = KINDS.iter().find(|entry| entry.1 == name).map(|entry| entry.0);
        found.ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|entry| entry.1).collect();
            format!("there is no head \"{name}\": one of {}", names.join(", "))
        })
    }
}
