use super::*;
use image::{GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};
use std::fs;
use tempfile::TempDir;

const OPTIONS: DecodeOptions = DecodeOptions { max_pixels: MAX_PIXELS, orient: false };

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn refused(path: &Path, options: DecodeOptions) -> String {
    let failure = decode(path, options).map(|picture| picture.dimensions()).unwrap_err();
    let message = failure.message().unwrap().to_owned();
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    assert_eq!(failure.code(), 2);
    message
}

/// A PNG header of that size with no pixels behind it.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut crc = !0u32;
    for byte in &chunk {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let mut png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d".to_vec();
    png.extend(chunk);
    png.extend((!crc).to_be_bytes());
    png.extend(b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e");
    png
}

#[test]
fn every_kind_of_pixel_becomes_rgb8() {
    let folder = folder();
    let path = folder.path().join("p.png");
    let first = |picture: DynamicImage| {
        picture.save(&path).unwrap();
        decode(&path, OPTIONS).unwrap().get_pixel(0, 0).0
    };
    assert_eq!(first(GrayImage::from_pixel(2, 2, Luma([7])).into()), [7; 3]);
    assert_eq!(first(ImageBuffer::from_pixel(2, 2, Luma([65535u16])).into()), [255; 3]);
    assert_eq!(first(ImageBuffer::from_pixel(2, 2, LumaA([9u8, 0])).into()), [9; 3]);
    assert_eq!(first(ImageBuffer::from_pixel(2, 2, Rgb([0u16, 257, 25700])).into()), [0, 1, 100]);
    assert_eq!(first(ImageBuffer::from_pixel(2, 2, Rgba([1u8, 2, 3, 0])).into()), [1, 2, 3]);
}

#[test]
fn what_is_not_a_whole_picture_is_refused() {
    let folder = folder();
    let path = folder.path().join("p.png");
    fs::write(&path, "just text").unwrap();
    assert!(refused(&path, OPTIONS).contains("not a picture"));
    fs::write(&path, "").unwrap();
    assert!(refused(&path, OPTIONS).contains("empty"));
    fs::write(&path, png_header(0, 5)).unwrap();
    refused(&path, OPTIONS);
    fs::write(folder.path().join("p.xyz"), "text").unwrap();
    assert!(refused(&folder.path().join("p.xyz"), OPTIONS).contains("known format"));
    assert!(refused(folder.path(), OPTIONS).contains(':'));
}

#[test]
fn a_truncated_picture_is_refused_in_every_format() {
    let folder = folder();
    let noise = |x: u32, y: u32| Rgb([(x * 37 + y * 11) as u8, (x * y) as u8, (x ^ y) as u8]);
    let picture = RgbImage::from_fn(64, 64, noise);
    for (name, format) in [
        ("p.jpg", ImageFormat::Jpeg),
        ("p.png", ImageFormat::Png),
        ("p.bmp", ImageFormat::Bmp),
        ("p.tif", ImageFormat::Tiff),
        ("p.ppm", ImageFormat::Pnm),
        ("p.webp", ImageFormat::WebP),
    ] {
        let path = folder.path().join(name);
        picture.save_with_format(&path, format).unwrap();
        assert_eq!(decode(&path, OPTIONS).unwrap().dimensions(), (64, 64));
        let bytes = fs::read(&path).unwrap();
        for share in [3, 6, 9] {
            fs::write(&path, &bytes[..bytes.len() * share / 10]).unwrap();
            refused(&path, OPTIONS);
        }
    }
}

#[test]
fn the_end_of_a_jpeg_is_its_own_and_not_a_thumbnails() {
    let folder = folder();
    let path = folder.path().join("p.jpg");
    RgbImage::from_fn(40, 40, |x, y| Rgb([(x * y) as u8; 3])).save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let mut with_thumbnail = bytes[..2].to_vec();
    with_thumbnail.extend([0xFF, 0xE1]);
    with_thumbnail.extend((bytes.len() as u16 + 2).to_be_bytes());
    with_thumbnail.extend(&bytes);
    with_thumbnail.extend(&bytes[2..]);
    assert!(jpeg_is_whole(&with_thumbnail));
    assert!(!jpeg_is_whole(&with_thumbnail[..with_thumbnail.len() - 2]));
    with_thumbnail.extend(b"more after the end");
    assert!(jpeg_is_whole(&with_thumbnail));
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let folder = folder();
    let path = folder.path().join("bomb.png");
    fs::write(&path, png_header(60_000, 60_000)).unwrap();
    assert!(refused(&path, OPTIONS).contains("--max-pixels"));
    let ok = folder.path().join("ok.png");
    RgbImage::new(10, 10).save(&ok).unwrap();
    assert!(refused(&ok, DecodeOptions { max_pixels: 99, ..OPTIONS }).contains("100 pixels"));
    assert!(decode(&ok, DecodeOptions { max_pixels: 100, ..OPTIONS }).is_ok());
}

#[test]
fn folders_give_their_pictures_sorted_and_no_deeper() {
    let folder = folder();
    for name in ["b.JPG", "a.png", "notes.txt", "c.tiff"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::create_dir(folder.path().join("d.png")).unwrap();
    let found = collect(&[folder.path().to_owned(), folder.path().join("absent.png")]);
    let names: Vec<_> =
        found[..3].iter().map(|path| path.as_ref().unwrap().file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["a.png", "b.JPG", "c.tiff"]);
    assert!(found[3].is_err() && found.len() == 4);
}
