//! `tiles`: the grid of a picture as JSON.

use crate::args::TilesArgs;
use crate::failure::{Outcome, print_line};
use serde_json::json;
use tilehawk::geom::{GridOptions, TileGrid};

/// Prints `{"tiles": [[x0, y0, x1, y1], ...]}`.
pub(crate) fn run(args: &TilesArgs) -> Outcome<()> {
    let grid = TileGrid::new(args.width, args.height, &args.grid.options(&GridOptions::default()))?;
    let tiles: Vec<[u32; 4]> = grid.tiles.iter().map(|tile| tile.rect.to_array()).collect();
    print_line(&json!({ "tiles": tiles }).to_string())
}
