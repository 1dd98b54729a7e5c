//! The arguments of `demo`.

use super::FindArgs;
use crate::parse::parse_scene_size;
use crate::scene::usual_objects;
use clap::Args;
use std::path::PathBuf;

/// `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Draws a town from above as a thermal camera on a drone sees it, with persons, cars and parked \
bicycles, and finds them as `detect` does. The same size, count and seed give the same picture on \
every machine. An object counts as found if a box of its class overlaps it by an IOU of 0.5.\n\n\
Writes OUT/scene.png, OUT/scene.json (the objects, as a COCO data set for `tilehawk eval`), \
OUT/detections.json (as `detect` writes it) and OUT/annotated.png. The exit code is 0 however \
many were found.\n\n\
Examples:\n  \
tilehawk demo\n  \
tilehawk demo --size 1920x1080 --objects 60 --seed 7 --model thermal-small -o out")]
pub(crate) struct DemoArgs {
    /// Size of the picture in pixels: N or WxH, sides of 64 to 65536, at most 2^28 pixels
    #[arg(long, value_name = "N|WxH", default_value = "3840x2160", value_parser = parse_scene_size)]
    pub(crate) size: [u32; 2],
    /// Objects to draw [default: one for 69120 pixels, 120 in the default size]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) objects: Option<u32>,
    /// Which of all pictures to draw
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The model and its settings.
    #[command(flatten)]
    pub(crate) find: FindArgs,
    /// Folder to write to; made if need be
    #[arg(short, long, value_name = "OUT", default_value = "demo")]
    pub(crate) out: PathBuf,
    /// Write into a folder that is not empty, over the files of an earlier demo
    #[arg(long)]
    pub(crate) force: bool,
    /// Write the numbers as JSON; `-`: to standard output, in place of the table
    #[arg(long, value_name = "FILE|-", allow_hyphen_values = true)]
    pub(crate) json: Option<PathBuf>,
}

impl DemoArgs {
    /// How many objects to draw.
    pub(crate) fn objects(&self) -> u32 {
        self.objects.unwrap_or(usual_objects(self.size))
    }
}
