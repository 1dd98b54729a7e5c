//! The picture on the GPU: packed 8-bit pixels in one buffer, or in bands of rows where it exceeds a binding.
//!
//! A band owns rows `[first, end)` and stores one row more, so that each bilinear sample finds both its rows.

use crate::error::{Error, Result};
use crate::geom::MAX_IMAGE_SIDE;
use crate::gpu::{Context, Staged, StagingRing};

/// How the 8-bit channels of a pixel are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// One grey byte.
    Gray8,
    /// Red, green, blue.
    Rgb8,
    /// Blue, green, red.
    Bgr8,
    /// Red, green, blue and a byte that is not used.
    Rgba8,
    /// Blue, green, red and a byte that is not used.
    Bgra8,
}

impl PixelFormat {
    /// Bytes of a pixel.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Gray8 => 1,
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Rgba8 | Self::Bgra8 => 4,
        }
    }

    pub(crate) const fn is_bgr(self) -> bool {
        matches!(self, Self::Bgr8 | Self::Bgra8)
    }
}

/// A picture in host memory: rows top to bottom without gaps.
#[derive(Clone, Copy, Debug)]
pub struct ImageView<'a> {
    width: u32,
    height: u32,
    format: PixelFormat,
    pixels: &'a [u8],
}

impl<'a> ImageView<'a> {
    /// A view of `width * height` pixels.
    ///
    /// # Errors
    /// `Input` if a side is 0 or above 2^23, or `pixels` has another length than the sizes say.
    pub fn new(width: u32, height: u32, format: PixelFormat, pixels: &'a [u8]) -> Result<Self> {
        if width == 0 || height == 0 || width > MAX_IMAGE_SIDE || height > MAX_IMAGE_SIDE {
            return Err(Error::input(format!(
                "image size {width}x{height} is outside 1..={MAX_IMAGE_SIDE} pixels a side"
            )));
        }
        let expected = u128::from(width) * u128::from(height) * u128::from(format.bytes());
        if expected != pixels.len() as u128 {
            return Err(Error::input(format!(
                "{width}x{height} pixels of {format:?} are {expected} bytes, got {}",
                pixels.len()
            )));
        }
        Ok(Self { width, height, format, pixels })
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Format of the pixels.
    #[must_use]
    pub fn format(&self) -> PixelFormat {
        self.format
    }
}

#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) buffer: wgpu::Buffer,
    /// Rows owned.
    pub(crate) rows: [u32; 2],
}

/// Buffers for pictures of one size and format.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bands: Vec<Band>,
    pub(crate) format: PixelFormat,
    pub(crate) row_bytes: u32,
    pub(crate) bytes: u64,
    height: u32,
    staging: StagingRing,
}

/// Bytes of upload buffers that are kept while they are not in use, if a picture needs no more.
const SPARE_BYTES: u64 = 256 << 20;

impl Frame {
    /// Buffers for `width` x `height` pixels; `max_band_bytes` lowers the device's own limit.
    pub(crate) fn new(
        context: &Context,
        [width, height]: [u32; 2],
        format: PixelFormat,
        max_band_bytes: Option<u64>,
    ) -> Result<Self> {
        let row_bytes = width * format.bytes();
        let limit = context.max_binding_bytes().min(max_band_bytes.unwrap_or(u64::MAX));
        // 32 bytes of slack: rounding to words, and the word after the last pixel.
        let rows_per_band = (limit.saturating_sub(32) / u64::from(row_bytes)).saturating_sub(1);
        let rows_per_band = u32::try_from(rows_per_band).unwrap_or(u32::MAX).min(height);
        if rows_per_band == 0 {
            return Err(Error::capacity(format!(
                "two rows of {row_bytes} bytes exceed the device's binding limit of {limit} bytes"
            )));
        }
        let mut bands = Vec::new();
        let mut total = 0;
        let mut first = 0;
        while first < height {
            let end = (first + rows_per_band).min(height);
            let stored = u64::from((end + 1).min(height) - first);
            let bytes = stored * u64::from(row_bytes) + 16;
            let buffer = context.storage("frame", bytes)?;
            total += buffer.size();
            bands.push(Band { buffer, rows: [first, end] });
            first = end;
        }
        let staging = StagingRing::new(SPARE_BYTES.max(total));
        Ok(Self { bands, format, row_bytes, bytes: total, height, staging })
    }

    /// Records the upload of a picture. Its buffers go back with [`Frame::sent`] after the submission.
    pub(crate) fn upload(
        &self,
        context: &Context,
        encoder: &mut wgpu::CommandEncoder,
        image: &ImageView<'_>,
    ) -> Result<Staged> {
        let mut staged = Staged::default();
        for band in &self.bands {
            self.staging.write(context, encoder, &band.buffer, self.rows_of(band, image), &mut staged)?;
        }
        Ok(staged)
    }

    /// Tells that the upload was submitted.
    pub(crate) fn sent(&self, staged: Staged) {
        self.staging.recycle(staged);
    }

    /// Bytes that an upload sends.
    pub(crate) fn upload_bytes(&self, image: &ImageView<'_>) -> u64 {
        self.bands.iter().map(|band| self.rows_of(band, image).len() as u64).sum()
    }

    /// The pixels that a band stores.
    fn rows_of<'a>(&self, band: &Band, image: &ImageView<'a>) -> &'a [u8] {
        let start = band.rows[0] as usize * self.row_bytes as usize;
        let end = (band.rows[1] + 1).min(self.height) as usize * self.row_bytes as usize;
        &image.pixels[start..end]
    }
}
