//! Plots as pixels, with the font of the labels: no system font can be relied on.

use crate::annotate::{Lettering, blend};
use image::{Rgb, RgbImage};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, DrawingBackend, DrawingErrorKind};
use std::io::Error;

type Drawn = Result<(), DrawingErrorKind<Error>>;

/// A picture to plot on.
#[derive(Debug)]
pub(super) struct Bitmap<'a>(pub(super) &'a mut RgbImage);

impl Bitmap<'_> {
    fn lettering(style: &impl BackendTextStyle) -> Result<Lettering, DrawingErrorKind<Error>> {
        #[expect(clippy::cast_possible_truncation, reason = "a size of a few pixels")]
        let size = style.size() as f32;
        Lettering::new(size).map_err(|reason| DrawingErrorKind::DrawingError(Error::other(reason)))
    }
}

impl DrawingBackend for Bitmap<'_> {
    type ErrorType = Error;

    fn get_size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "a share")]
    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let (r, g, b) = color.rgb;
        blend(self.0, [i64::from(x), i64::from(y)], Rgb([r, g, b]), color.alpha as f32);
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "texts are far shorter than 2^31 pixels")]
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let lettering = Self::lettering(style)?;
        let word = lettering.set(text);
        let [width, height] = word.size;
        let (anchor, turn) = (style.anchor(), style.transform());
        let left = match anchor.h_pos {
            HPos::Left => 0,
            HPos::Right => -width,
            HPos::Center => -width / 2,
        };
        let top = match anchor.v_pos {
            VPos::Top => 0,
            VPos::Center => -height / 2,
            VPos::Bottom => -height,
        };
        let color = style.color();
        let (r, g, b) = color.rgb;
        lettering.cover(&word, |[column, row], coverage| {
            let (dx, dy) = turn.transform((left + column) as i32, (top + row) as i32);
            let place = [i64::from(x) + i64::from(dx), i64::from(y) + i64::from(dy)];
            blend(self.0, place, Rgb([r, g, b]), coverage * color.alpha as f32);
        });
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Error>> {
        let size = Self::lettering(style)?.set(text).size;
        let [width, height] = size.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        Ok((width, height))
    }
}
