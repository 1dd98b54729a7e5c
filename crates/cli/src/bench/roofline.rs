//! What a network costs, and the least time that the device would need for it.

use tilehawk::model::NodeCost;
use tilehawk::{Ceilings, model};

/// Rates of the device, and how it stores numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Roofline {
    /// The rates.
    pub(crate) ceilings: Ceilings,
    /// Whether maps and weights take 16 bits; sums take 32 all the same.
    pub(crate) f16: bool,
}

impl Roofline {
    fn unit(self) -> f64 {
        if self.f16 { 2.0 } else { 4.0 }
    }

    /// Bytes that must move for `tiles` tiles in `chunks` chunks: maps once for each tile, weights once for each chunk.
    pub(crate) fn bytes(self, cost: Cost, tiles: f64, chunks: f64) -> f64 {
        (cost.map_len as f64 * tiles + cost.parameters as f64 * chunks) * self.unit()
    }

    /// Milliseconds for bytes at the bandwidth of a copy.
    pub(crate) fn copy_ms(self, bytes: f64) -> f64 {
        bytes / self.ceilings.copy_gb_per_s / 1e6
    }

    /// Milliseconds for operations at the rate of 32-bit multiply-adds.
    pub(crate) fn fma_ms(self, flop: f64) -> f64 {
        flop / self.ceilings.fma_f32_gflop_per_s / 1e6
    }

    /// The least time for both, in milliseconds.
    pub(crate) fn bound_ms(self, bytes: f64, flop: f64) -> f64 {
        self.copy_ms(bytes).max(self.fma_ms(flop))
    }

    /// The least time for all layers, one after the other, in milliseconds.
    pub(crate) fn network_ms(self, nodes: &[NodeCost], tiles: f64, chunks: f64) -> f64 {
        let runs = nodes.iter().filter(|node| node.runs).map(|node| Cost::of(*node));
        runs.map(|cost| self.bound_ms(self.bytes(cost, tiles, chunks), cost.flop as f64 * tiles)).sum()
    }
}

/// What a layer or a network costs for one tile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Operations: two for each multiply-add.
    pub(crate) flop: u64,
    /// Elements of the maps read and written.
    pub(crate) map_len: u64,
    /// Elements of the weights.
    pub(crate) parameters: u64,
}

impl Cost {
    /// That of a layer.
    pub(crate) fn of(node: NodeCost) -> Self {
        Self { flop: node.flop, map_len: node.map_len, parameters: node.parameters }
    }

    /// That of all layers that run.
    pub(crate) fn of_network(cost: &model::Cost) -> Self {
        cost.nodes.iter().filter(|node| node.runs).fold(Self::default(), |sum, node| Self {
            flop: sum.flop + node.flop,
            map_len: sum.map_len + node.map_len,
            parameters: sum.parameters + node.parameters,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slower_of_both_rates_bounds() {
        let ceilings =
            Ceilings { copy_gb_per_s: 10.0, fma_f32_gflop_per_s: 100.0, fma_f16_gflop_per_s: None };
        let [single, half] = [false, true].map(|f16| Roofline { ceilings, f16 });
        let node = |flop, runs| NodeCost { parameters: 1_000, flop, map_len: 1_000_000, runs, spared: false };
        let cost = Cost::of(node(5_000_000, true));
        assert_eq!(single.bytes(cost, 2.0, 1.0), 8_004_000.0);
        assert_eq!(half.bytes(cost, 2.0, 1.0), 4_002_000.0);
        assert_eq!(single.bound_ms(10e6, 1e6), 1.0);
        assert_eq!(single.bound_ms(10e6, 500e6), 5.0);
        // The first layer is bound by the copy (0.4004 ms), the second by arithmetic (5 ms); the third does not run.
        let nodes = [node(5_000_000, true), node(500_000_000, true), node(500_000_000, false)];
        assert!((single.network_ms(&nodes, 1.0, 1.0) - 5.4004).abs() < 1e-9);
        let network = model::Cost { nodes: nodes.to_vec(), ..model::Cost::default() };
        let all = Cost { flop: 505_000_000, map_len: 2_000_000, parameters: 2_000 };
        assert_eq!(Cost::of_network(&network), all);
    }
}
