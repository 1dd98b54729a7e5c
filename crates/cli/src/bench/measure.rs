//! Runs of one tile size.

use super::Spread;
use crate::engine::{Engine, LayerTime, StageTime, Timed};
use crate::failure::Outcome;
use image::RgbImage;
use indicatif::ProgressBar;
use std::time::{Duration, Instant};
use tilehawk::model::Cost;

/// How many runs are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Rounds through all rows.
    pub(crate) rounds: u32,
    /// Of each row in a round, as given; none: as many as a time allows.
    pub(crate) runs: Option<u32>,
    /// Those that do not count.
    pub(crate) warm_up: Option<u32>,
}

impl Patience {
    /// Where nothing is given: runs, those of them that are always made, runs to warm up, and the time after which no
    /// more are begun.
    const RUNS: u32 = 10;
    const LEAST_RUNS: u32 = 3;
    const WARM_UP: u32 = 2;
    const LIMIT: Duration = Duration::from_secs(20);

    /// Most runs.
    pub(crate) fn runs(self) -> u32 {
        self.runs.unwrap_or(Self::RUNS)
    }

    /// Most runs to warm up.
    pub(crate) fn warm_up(self) -> u32 {
        self.warm_up.unwrap_or(Self::WARM_UP)
    }

    fn goes_on(self, runs: u32, taken: Duration) -> bool {
        match self.runs {
            Some(wanted) => runs < wanted,
            None => runs < Self::LEAST_RUNS || runs < Self::RUNS && taken < Self::LIMIT,
        }
    }

    fn warms_on(self, runs: u32, taken: Duration) -> bool {
        match self.warm_up {
            Some(wanted) => runs < wanted,
            None => runs < 1 || runs < Self::WARM_UP && taken < Self::LIMIT,
        }
    }
}

/// The stages that a part of a run is made of, by name. The first stage resets the lists of boxes.
const PARTS: [(&str, &[&str]); 5] = [
    ("preprocess", &["begin", "preprocess"]),
    ("network", &["network"]),
    ("decode", &["decode"]),
    ("merge", &["sort", "merge"]),
    ("readback", &["readback"]),
];

/// Runs of a tile size.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Of one picture at a time.
    alone: Vec<Timed>,
    /// Milliseconds for a picture of several in flight.
    in_flight_ms: Vec<f64>,
    /// What the network costs for one tile.
    cost: Cost,
}

impl Runs {
    /// Takes over the runs of a further round.
    pub(crate) fn append(&mut self, mut others: Self) {
        self.alone.append(&mut others.alone);
        self.in_flight_ms.append(&mut others.in_flight_ms);
        self.cost = others.cost;
    }
}

/// What the runs of a tile size took.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Tiles of the picture.
    pub(crate) tiles: u32,
    /// Chunks they were run in.
    pub(crate) chunks: u32,
    /// GPU memory held, in bytes.
    pub(crate) gpu_bytes: u64,
    /// Runs that count.
    pub(crate) runs: usize,
    /// Milliseconds: `total`, `upload`, the [`PARTS`], `other`; none where the device cannot tell.
    pub(crate) ms: Vec<(&'static str, Option<Spread>)>,
    /// Of each run, the time of each layer; empty unless they are timed.
    pub(crate) layers: Vec<Vec<LayerTime>>,
    /// What the network cost for one tile.
    pub(crate) cost: Cost,
    /// Milliseconds for a picture while several are in flight, if that was asked for.
    pub(crate) in_flight_ms: Option<Spread>,
}

impl Measured {
    /// Names of the parts of a run in order; the first is all of it.
    pub(crate) fn parts() -> impl Iterator<Item = &'static str> {
        ["total", "upload"].into_iter().chain(PARTS.map(|(part, _)| part)).chain(["other"])
    }

    /// Milliseconds of a part.
    pub(crate) fn part(&self, name: &str) -> Option<Spread> {
        self.ms.iter().find(|(part, _)| *part == name).and_then(|(_, spread)| *spread)
    }

    /// Tiles of the largest chunk.
    pub(crate) fn chunk(&self) -> u32 {
        self.tiles.div_ceil(self.chunks.max(1))
    }

    /// What some runs took together; none of no runs.
    pub(crate) fn of(Runs { alone: runs, in_flight_ms, cost }: Runs) -> Option<Self> {
        let stats = &runs.last()?.stats;
        let (tiles, chunks, gpu_bytes) = (stats.tiles, stats.chunks, stats.gpu_bytes);
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let mut parts = vec![
            ("total", Spread::of(runs.iter().map(|run| ms(run.total)))),
            ("upload", Spread::of(runs.iter().map(upload_ms))),
        ];
        for (part, stages) in PARTS {
            let times: Option<Vec<f64>> = runs.iter().map(|run| sum(&run.stats.stages, stages)).collect();
            parts.push((part, times.and_then(Spread::of)));
        }
        let other = runs.iter().map(|run| {
            let part = |(name, stages): &(&str, &[&str])| match sum(&run.stats.stages, stages) {
                // Not every device can time a copy.
                None if *name == "readback" => Some(0.0),
                known => known,
            };
            let gpu: f64 = PARTS.iter().map(part).sum::<Option<f64>>()?;
            Some((ms(run.total) - upload_ms(run) - gpu).max(0.0))
        });
        parts.push(("other", other.collect::<Option<Vec<f64>>>().and_then(Spread::of)));
        let count = runs.len();
        let layers = runs.into_iter().map(|run| run.stats.layers).collect();
        let in_flight_ms = Spread::of(in_flight_ms);
        Some(Self { tiles, chunks, gpu_bytes, runs: count, ms: parts, layers, in_flight_ms, cost })
    }
}

/// The host's time to stage the pixels, and the device's to fetch them where it can time a copy.
fn upload_ms(run: &Timed) -> f64 {
    run.stats.upload_ms + sum(&run.stats.stages, &["upload"]).unwrap_or(0.0)
}

/// The time of some stages; none if one of them was not timed.
fn sum(stages: &[StageTime], names: &[&str]) -> Option<f64> {
    names.iter().map(|name| stages.iter().find(|time| time.stage == *name).map(|time| time.ms)).sum()
}

/// Warms up and measures, one picture at a time, and then `in_flight` of them if that is more than one.
pub(crate) fn measure(
    engine: &Engine,
    picture: &RgbImage,
    patience: Patience,
    in_flight: u32,
    bar: &ProgressBar,
) -> Outcome<Runs> {
    engine.prepare(picture)?;
    let (mut warm, started) = (0, Instant::now());
    while patience.warms_on(warm, started.elapsed()) {
        engine.time(picture)?;
        bar.inc(1);
        warm += 1;
    }
    let (mut count, started) = (0, Instant::now());
    let mut alone = Vec::new();
    while patience.goes_on(count, started.elapsed()) {
        alone.push(engine.time(picture)?);
        bar.inc(1);
        count += 1;
    }
    let in_flight_ms =
        if in_flight > 1 { pipelined(engine, picture, patience, in_flight)? } else { Vec::new() };
    let cost = engine.cost(alone.last().map_or(1, |run: &Timed| run.stats.tiles))?;
    Ok(Runs { alone, in_flight_ms, cost })
}

/// Milliseconds for a picture with `in_flight` of them sent before the first is waited for.
fn pipelined(engine: &Engine, picture: &RgbImage, patience: Patience, in_flight: u32) -> Outcome<Vec<f64>> {
    // Buffers of its own for each picture are made in the first round.
    engine.time_in_flight(picture, in_flight)?;
    let (mut count, started) = (0, Instant::now());
    let mut times = Vec::new();
    while patience.goes_on(count, started.elapsed()) {
        let taken = engine.time_in_flight(picture, in_flight)?;
        times.push(taken.as_secs_f64() * 1e3 / f64::from(in_flight));
        count += 1;
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Stats;

    fn measured(alone: Vec<Timed>) -> Option<Measured> {
        Measured::of(Runs { alone, ..Runs::default() })
    }

    fn run(total: u64, upload_ms: f64, stages: &[(&'static str, f64)]) -> Timed {
        let stages = stages.iter().map(|&(stage, ms)| StageTime { stage, ms }).collect();
        let stats = Stats { tiles: 7, chunks: 3, upload_ms, stages, ..Stats::default() };
        Timed { total: Duration::from_millis(total), stats }
    }

    #[test]
    fn parts_are_sums_of_stages_and_the_rest() {
        let stages = |network| {
            let before = [("begin", 1.0), ("preprocess", 2.0), ("network", network), ("decode", 4.0)];
            [&before[..], &[("sort", 0.5), ("merge", 0.5)]].concat()
        };
        let found = measured([20.0, 30.0, 40.0].map(|ms| run(100, 10.0, &stages(ms))).to_vec()).unwrap();
        assert_eq!((found.chunk(), found.runs), (3, 3));
        let part =
            |found: &Measured, name| found.part(name).map(|spread| [spread.min, spread.median, spread.max]);
        assert_eq!(part(&found, "total"), Some([100.0; 3]));
        assert_eq!(part(&found, "preprocess"), Some([3.0; 3]));
        assert_eq!(part(&found, "network"), Some([20.0, 30.0, 40.0]));
        assert_eq!(part(&found, "merge"), Some([1.0; 3]));
        assert_eq!(part(&found, "readback"), None);
        assert_eq!(part(&found, "other"), Some([42.0, 52.0, 62.0]));
        let fetched = [stages(20.0), vec![("upload", 3.0)]].concat();
        let fetched = measured(vec![run(100, 10.0, &fetched)]).unwrap();
        assert_eq!((part(&fetched, "upload"), part(&fetched, "other")), (Some([13.0; 3]), Some([59.0; 3])));

        let crowded = measured(vec![run(100, 10.0, &stages(20.0)[..5])]).unwrap();
        assert_eq!((part(&crowded, "merge"), part(&crowded, "other")), (None, None));
        assert_eq!(part(&crowded, "decode"), Some([4.0; 3]));
    }

    #[test]
    fn rounds_count_together() {
        let mut runs = Runs { alone: vec![run(10, 0.0, &[])], in_flight_ms: vec![7.0], ..Runs::default() };
        let alone = vec![run(30, 0.0, &[]), run(20, 0.0, &[])];
        runs.append(Runs { alone, in_flight_ms: vec![9.0, 8.0], ..Runs::default() });
        let found = Measured::of(runs).unwrap();
        assert_eq!((found.runs, found.part("total").map(|total| total.median)), (3, Some(20.0)));
        assert_eq!(found.in_flight_ms.map(|ms| ms.median), Some(8.0));
    }

    #[test]
    fn without_timestamps_only_the_host_is_timed() {
        let found = measured(vec![run(9, 2.0, &[]), run(11, 4.0, &[])]).unwrap();
        let known: Vec<&str> =
            found.ms.iter().filter(|(_, spread)| spread.is_some()).map(|(part, _)| *part).collect();
        assert_eq!(known, ["total", "upload"]);
        assert!(measured(Vec::new()).is_none());
    }

    #[test]
    fn patience_ends_unless_told_otherwise() {
        let (short, long) = (Duration::from_secs(1), Duration::from_secs(60));
        let usual = Patience { rounds: 1, runs: None, warm_up: None };
        assert!(usual.goes_on(9, short) && !usual.goes_on(10, short));
        assert!(usual.goes_on(2, long) && !usual.goes_on(3, long));
        assert!(usual.warms_on(1, short) && !usual.warms_on(1, long) && usual.warms_on(0, long));
        let told = Patience { rounds: 1, runs: Some(50), warm_up: Some(0) };
        assert!(told.goes_on(49, long) && !told.goes_on(50, short) && !told.warms_on(0, short));
    }
}
