//! Finding and decoding pictures.

use crate::failure::{Failure, Outcome, warn};
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use libjpeg_turbo_rs::{PixelFormat, decompress_to};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Pictures of more pixels are refused unless told otherwise: 512 Mi pixels, 1.5 GiB as RGB.
pub(crate) const MAX_PIXELS: u64 = 1 << 29;
/// What a decoder may allocate at the default limit of pixels; grows with it.
pub(crate) const BYTES_PER_PIXEL: u64 = 8;
/// Extensions that are taken from a folder.
const EXTENSIONS: [&str; 11] =
    ["jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "pbm", "pgm", "ppm", "pnm"];

/// What can be read.
const FORMATS: &str = "JPEG, PNG, WebP, TIFF, BMP or PNM";

/// How pictures are decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecodeOptions {
    /// Most pixels of a picture.
    pub(crate) max_pixels: u64,
    /// Whether the EXIF orientation is applied.
    pub(crate) orient: bool,
}

/// The pictures of `inputs` in order: files as given, folders as their sorted pictures. Failures come along in place.
pub(crate) fn collect(inputs: &[PathBuf]) -> Vec<Outcome<PathBuf>> {
    let mut found = Vec::new();
    for input in inputs {
        if input.is_dir() {
            match pictures_in(input) {
                Ok(paths) if paths.is_empty() => {
                    let reason = format!("no pictures in this folder ({})", EXTENSIONS.join(", "));
                    found.push(Err(Failure::file(input, reason)));
                }
                Ok(paths) => found.extend(paths.into_iter().map(Ok)),
                Err(error) => found.push(Err(Failure::file(input, format!("cannot be read: {error}")))),
            }
        } else if input.exists() {
            found.push(Ok(input.clone()));
        } else {
            found.push(Err(Failure::file(input, "no such file; check the path")));
        }
    }
    found
}

fn pictures_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let known = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)));
        if known && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Decodes a picture to 8-bit RGB: deeper channels are scaled, grey is expanded, alpha is dropped.
pub(crate) fn decode(path: &Path, options: DecodeOptions) -> Outcome<RgbImage> {
    let bytes = read(path)?;
    let unreadable = |error: image::ImageError| Failure::file(path, explain(&error));
    let mut reader = ImageReader::new(Cursor::new(&bytes))
        .with_guessed_format()
        .map_err(|e| Failure::file(path, format!("cannot be read: {e}")))?;
    let format = reader.format();
    match format {
        None => return Err(Failure::file(path, format!("not a picture of a known format; give {FORMATS}"))),
        Some(ImageFormat::Jpeg) if !jpeg_is_whole(&bytes) => {
            return Err(Failure::file(path, "cut short: the JPEG data has no end; copy it again"));
        }
        Some(_) => {}
    }
    reader.limits(limits(options.max_pixels));
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    check_size(path, width, height, options.max_pixels)?;
    let orientation = if options.orient { decoder.orientation().ok() } else { None };
    let mut picture = match (format, decoder.color_type()) {
        (Some(ImageFormat::Jpeg), ColorType::Rgb8 | ColorType::L8) => {
            DynamicImage::ImageRgb8(jpeg(path, &bytes)?)
        }
        _ => DynamicImage::from_decoder(decoder).map_err(unreadable)?,
    };
    if let Some(orientation) = orientation {
        picture.apply_orientation(orientation);
    }
    Ok(picture.into_rgb8())
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    let bytes = crate::files::read(path)?;
    if bytes.is_empty() { Err(Failure::file(path, "the file is empty; copy it again")) } else { Ok(bytes) }
}

/// The pixels as libjpeg-turbo decodes them, which are those that other tools and the training of most networks see.
fn jpeg(path: &Path, bytes: &[u8]) -> Outcome<RgbImage> {
    let damaged = |reason: String| {
        Failure::file(path, format!("damaged JPEG data ({reason}); copy or export it again"))
    };
    let image = decompress_to(bytes, PixelFormat::Rgb).map_err(|e| damaged(e.to_string()))?;
    if let Some(warning) = image.warnings.first() {
        warn(&format!("{}: damaged JPEG data ({warning:?}); boxes may be wrong there", path.display()));
    }
    let side = |side: usize| u32::try_from(side).map_err(|_| damaged(format!("a side of {side} pixels")));
    RgbImage::from_raw(side(image.width)?, side(image.height)?, image.data)
        .ok_or_else(|| damaged("too few pixels".to_owned()))
}

/// Whether the end marker is reached: the decoder fills what is missing of a cut file with grey and says nothing.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const START: u8 = 0xD8;
    const END: u8 = 0xD9;
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xFF)) {
        at += found + 1;
        match bytes.get(at) {
            Some(&END) => return true,
            // Stuffing, a pad byte, a restart, the start: no length follows.
            Some(0x00 | 0x01 | 0xD0..=0xD7 | &START) => at += 1,
            Some(0xFF) | None => {}
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(&[high, low]) => at += 1 + usize::from(u16::from_be_bytes([high, low])),
                _ => return false,
            },
        }
    }
    false
}

fn check_size(path: &Path, width: u32, height: u32, max_pixels: u64) -> Outcome<()> {
    if width == 0 || height == 0 {
        return Err(Failure::file(path, format!("a picture of {width}x{height} pixels has nothing to find")));
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max_pixels {
        return Err(Failure::file(
            path,
            format!(
                "{width}x{height} are {pixels} pixels, more than {max_pixels}; raise --max-pixels if it is meant"
            ),
        ));
    }
    Ok(())
}

fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(max_pixels.saturating_mul(BYTES_PER_PIXEL));
    limits
}

fn explain(error: &image::ImageError) -> String {
    use image::ImageError;
    match error {
        ImageError::Limits(_) => format!("{error}; raise --max-pixels if the picture is meant"),
        ImageError::Unsupported(_) => format!("{error}; convert it to PNG or JPEG"),
        _ => format!("damaged, cut short or not a picture ({error}); copy or export it again"),
    }
}

#[cfg(test)]
mod tests;
