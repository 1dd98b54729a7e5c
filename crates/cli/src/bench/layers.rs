//! What each layer of the network took.

use super::{Cost, Measured, Roofline, Spread};
use tilehawk::geom::Shape;
use tilehawk::model::{self, Model};

/// All layers at one tile size, in the order they run.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    /// Side of a tile in pixels.
    pub(crate) tile: u32,
    /// Tiles of the picture.
    pub(crate) tiles: u32,
    /// The layers.
    pub(crate) layers: Vec<Layer>,
    /// All layers of a run, in milliseconds.
    pub(crate) sum_ms: Spread,
    /// The network when its layers are not timed, in milliseconds.
    pub(crate) plain_ms: Option<Spread>,
}

/// A layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Name of the node.
    pub(crate) name: String,
    /// Its op as the model file has it.
    pub(crate) op: &'static str,
    /// Columns and rows of its kernel, of a convolution.
    pub(crate) kernel: Option<[u32; 2]>,
    /// Its op as it is counted: with the kernel, whether channels are apart, and after that of a node in its dispatch.
    pub(crate) kind: String,
    /// Its map for one tile.
    pub(crate) output: Shape,
    /// What it took.
    pub(crate) work: Work,
}

/// Work and the time that it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Work {
    /// Milliseconds.
    pub(crate) ms: f64,
    /// Operations.
    pub(crate) flop: f64,
    /// Bytes of maps and weights.
    pub(crate) bytes: f64,
    /// The least time, in milliseconds.
    pub(crate) bound_ms: f64,
    /// Whether the bandwidth bounds it, not the arithmetic.
    pub(crate) by_copy: bool,
}

impl Work {
    /// 10^9 operations a second.
    pub(crate) fn gflops(self) -> f64 {
        self.flop / self.ms / 1e6
    }

    /// 10^9 bytes a second.
    pub(crate) fn gb_per_s(self) -> f64 {
        self.bytes / self.ms / 1e6
    }

    /// The least time over the time.
    pub(crate) fn share(self) -> f64 {
        self.bound_ms / self.ms
    }

    fn sum(parts: &[Self]) -> Self {
        let sum = |of: fn(&Self) -> f64| parts.iter().map(of).sum::<f64>();
        let by_copy = sum(|work| if work.by_copy { work.bound_ms } else { -work.bound_ms });
        Self {
            ms: sum(|work| work.ms),
            flop: sum(|work| work.flop),
            bytes: sum(|work| work.bytes),
            bound_ms: sum(|work| work.bound_ms),
            by_copy: by_copy > 0.0,
        }
    }
}

/// All layers of a kind.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// What they are.
    pub(crate) name: String,
    /// How many.
    pub(crate) count: usize,
    /// All of them together.
    pub(crate) work: Work,
}

impl Kind {
    fn new(name: &str, works: &[Work]) -> Self {
        Self { name: name.to_owned(), count: works.len(), work: Work::sum(works) }
    }
}

impl Layers {
    /// Brings times and costs together; none if no layer was timed.
    pub(crate) fn new(
        model: &Model,
        cost: &model::Cost,
        roofline: Roofline,
        tile: u32,
        [plain, timed]: [&Measured; 2],
    ) -> Option<Self> {
        let first = timed.layers.first()?;
        let layer = |(place, time): (usize, &crate::engine::LayerTime)| {
            let node = model.info().graph.nodes.get(time.node as usize)?;
            let kind = cost.kind(model, time.node as usize)?;
            let cost = Cost::of(*cost.nodes.get(time.node as usize)?);
            let ms = Spread::of(timed.layers.iter().filter_map(|run| Some(run.get(place)?.ms)))?.median;
            let tiles = f64::from(time.tiles);
            let chunks = f64::from(timed.chunks) * tiles / f64::from(timed.tiles.max(1));
            let (bytes, flop) = (roofline.bytes(cost, tiles, chunks), cost.flop as f64 * tiles);
            let bound_ms = roofline.bound_ms(bytes, flop);
            let by_copy = roofline.copy_ms(bytes) >= roofline.fma_ms(flop);
            Some(Layer {
                name: node.name.clone(),
                op: node.op.name(),
                kernel: model.window(node),
                kind,
                output: model.shapes().get(&node.name).ok()?,
                work: Work { ms, flop, bytes, bound_ms, by_copy },
            })
        };
        let layers: Vec<Layer> = first.iter().enumerate().map(layer).collect::<Option<_>>()?;
        let sums = timed.layers.iter().map(|run| run.iter().map(|time| time.ms).sum());
        let sum_ms = Spread::of(sums)?;
        let (tiles, plain_ms) = (timed.tiles, plain.part("network"));
        (!layers.is_empty()).then_some(Self { tile, tiles, layers, sum_ms, plain_ms })
    }

    /// Sums by kind, the slowest first.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let mut names: Vec<&str> = Vec::new();
        for layer in &self.layers {
            if !names.contains(&layer.kind.as_str()) {
                names.push(&layer.kind);
            }
        }
        let mut kinds: Vec<Kind> = names
            .into_iter()
            .map(|name| {
                let layers = self.layers.iter().filter(|layer| layer.kind == name);
                Kind::new(name, &layers.map(|layer| layer.work).collect::<Vec<_>>())
            })
            .collect();
        kinds.sort_by(|a, b| b.work.ms.total_cmp(&a.work.ms));
        kinds
    }

    /// All layers together.
    pub(crate) fn all(&self) -> Kind {
        Kind::new("all", &self.layers.iter().map(|layer| layer.work).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(kind: &str, ms: f64, by_copy: bool) -> Layer {
        let work = Work { ms, flop: ms * 3e6, bytes: 2e6, bound_ms: ms / 4.0, by_copy };
        let (name, kind, output) = (kind.to_owned(), kind.to_owned(), Shape::new(1, 1, 1));
        Layer { name, op: "conv", kernel: None, kind, output, work }
    }

    #[test]
    fn kinds_are_summed_and_the_slowest_is_first() {
        let layers =
            vec![layer("conv 1x1", 1.0, true), layer("pool", 5.0, true), layer("conv 1x1", 7.0, false)];
        let sum_ms = Spread { median: 13.0, min: 13.0, max: 13.0 };
        let layers = Layers { tile: 8, tiles: 1, layers, sum_ms, plain_ms: None };
        let kinds = layers.kinds();
        let names: Vec<(&str, usize)> = kinds.iter().map(|kind| (kind.name.as_str(), kind.count)).collect();
        assert_eq!(names, [("conv 1x1", 2), ("pool", 1)]);
        let work = kinds[0].work;
        assert_eq!((work.ms, work.gflops(), work.gb_per_s(), work.share()), (8.0, 3.0, 0.5, 0.25));
        assert!(!work.by_copy && kinds[1].work.by_copy);
        assert_eq!(layers.all().work.ms, 13.0);
    }
}
