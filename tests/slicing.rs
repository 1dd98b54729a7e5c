//! The tile grid against SAHI's, tile by tile.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde::Deserialize;
use std::path::{Path, PathBuf};
use tilehawk::geom::{GridOptions, TileGrid, TileSize};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
    auto: Vec<AutoCase>,
}

#[derive(Clone, Deserialize)]
struct Case {
    image_width: u32,
    image_height: u32,
    slice_width: u32,
    slice_height: u32,
    overlap_width_ratio: f64,
    overlap_height_ratio: f64,
    tiles: Vec<[u32; 4]>,
}

#[derive(Deserialize)]
struct AutoCase {
    image_width: u32,
    image_height: u32,
    tiles: Vec<[u32; 4]>,
}

impl Case {
    fn options(&self) -> GridOptions {
        GridOptions {
            tile: TileSize::Fixed { width: self.slice_width, height: self.slice_height },
            overlap: [self.overlap_width_ratio, self.overlap_height_ratio],
            full_image: false,
        }
    }

    fn agrees(&self) -> bool {
        tiles(self.image_width, self.image_height, &self.options()) == self.tiles
    }
}

impl AutoCase {
    fn agrees(&self) -> bool {
        let options = GridOptions { tile: TileSize::Auto, ..GridOptions::default() };
        tiles(self.image_width, self.image_height, &options) == self.tiles
    }
}

fn tiles(width: u32, height: u32, options: &GridOptions) -> Vec<[u32; 4]> {
    TileGrid::new(width, height, options).unwrap().tiles.iter().map(|tile| tile.rect.to_array()).collect()
}

fn load(path: &Path) -> Vectors {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn check(vectors: &Vectors, cases: usize, auto: usize) {
    assert_eq!((vectors.cases.len(), vectors.auto.len()), (cases, auto));
    for (index, case) in vectors.cases.iter().enumerate() {
        assert!(case.agrees(), "case {index}: {}x{}", case.image_width, case.image_height);
    }
    for (index, case) in vectors.auto.iter().enumerate() {
        assert!(case.agrees(), "auto case {index}: {}x{}", case.image_width, case.image_height);
    }
}

fn golden() -> Vectors {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/slicing.json"))
}

#[test]
fn a_subset_of_the_vectors() {
    check(&golden(), 24, 7);
}

#[test]
fn all_vectors() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance/slicing.json");
    if !path.exists() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", path.display());
        println!("skipped: {} is missing", path.display());
        return;
    }
    check(&load(&path), 167, 9);
}

#[test]
fn a_wrong_tile_is_noticed() {
    let mut case = golden().cases.swap_remove(0);
    assert!(case.agrees());
    case.tiles[0][2] += 1;
    assert!(!case.agrees());
    case.tiles[0][2] -= 1;
    case.tiles.pop();
    assert!(!case.agrees());
}
