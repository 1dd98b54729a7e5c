//! Parsers of argument values; their errors say what to give instead.

use crate::args::ClassThreshold;
use crate::scene::{MAX_PIXELS, MAX_SIDE, MIN_SIDE};
use tilehawk::import::onnx::HeadKind;

fn pair<T: Copy>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<[T; 2], String> {
    match text.split_once(['x', 'X']) {
        Some((first, second)) => Ok([parse(first)?, parse(second)?]),
        None => parse(text).map(|value| [value; 2]),
    }
}

/// A tile size in pixels, `N` or `WxH`.
pub(crate) fn parse_tile(text: &str) -> Result<[u32; 2], String> {
    pair(text, |part| match part.parse::<u32>() {
        Ok(0) => Err("0 pixels; give at least 1".to_owned()),
        Ok(side) => Ok(side),
        Err(_) => Err("give a whole number of pixels, or WIDTHxHEIGHT".to_owned()),
    })
}

/// The size of a drawn picture in pixels, `N` or `WxH`.
pub(crate) fn parse_scene_size(text: &str) -> Result<[u32; 2], String> {
    let [width, height] = parse_tile(text)?;
    let sides = MIN_SIDE..=MAX_SIDE;
    if !sides.contains(&width) || !sides.contains(&height) {
        return Err(format!("a side is not from {MIN_SIDE} to {MAX_SIDE} pixels; give one that is"));
    }
    match u64::from(width) * u64::from(height) {
        pixels if pixels > MAX_PIXELS => {
            Err(format!("{pixels} pixels are more than {MAX_PIXELS}; give 16384x16384 or less"))
        }
        _ => Ok([width, height]),
    }
}

/// An overlap, `R` or `RxR`, each in `[0, 1)`.
pub(crate) fn parse_overlap(text: &str) -> Result<[f64; 2], String> {
    pair(text, |part| match part.parse::<f64>() {
        Ok(ratio) if (0.0..1.0).contains(&ratio) => Ok(ratio),
        Ok(_) => Err("outside [0, 1): tiles that overlap whole never end".to_owned()),
        Err(_) => Err("give a share in [0, 1), or two as RxR".to_owned()),
    })
}

/// A number in `[0, 1]`.
pub(crate) fn parse_share(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        Ok(_) => Err("outside [0, 1]".to_owned()),
        Err(_) => Err("give a number in [0, 1]".to_owned()),
    }
}

/// A share in `[0, 1]`, in full precision.
pub(crate) fn parse_ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("give a number in [0, 1]".to_owned()),
    }
}

/// A number above 0.
pub(crate) fn parse_above_0(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if (1e-6..=1e6).contains(&value) => Ok(value),
        _ => Err("give a number above 0, from 1e-6 to 1e6".to_owned()),
    }
}

/// An overlap in `(0, 1]`.
pub(crate) fn parse_iou(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("give numbers above 0 and at most 1, parted by commas".to_owned()),
    }
}

/// A count of at least 1.
pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    match text.trim().parse::<usize>() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("give whole numbers of at least 1, parted by commas".to_owned()),
    }
}

/// The width of a decay of scores.
pub(crate) fn parse_sigma(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.01..=10.0).contains(&value) => Ok(value),
        _ => Err("give a number from 0.01 to 10".to_owned()),
    }
}

/// A class by name or id.
pub(crate) fn parse_class(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("give a class name or id".to_owned()),
        class => Ok(class.to_owned()),
    }
}

/// `CLASS=T`, a class and a number in `[0, 1]`.
pub(crate) fn parse_class_threshold(text: &str) -> Result<ClassThreshold, String> {
    let (class, threshold) =
        text.rsplit_once('=').ok_or("give CLASS=T, a class name or id and a number in [0, 1]")?;
    Ok(ClassThreshold { class: parse_class(class)?, threshold: parse_share(threshold.trim())? })
}

/// A pixel value.
pub(crate) fn parse_pad(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=255.0).contains(&value) => Ok(value),
        _ => Err("give a number in [0, 255]".to_owned()),
    }
}

/// One finite number for all channels, or three.
pub(crate) fn parse_channels(text: &str) -> Result<[f32; 3], String> {
    let values: Vec<f32> = text
        .split(',')
        .map(|part| part.trim().parse::<f32>().ok().filter(|value| value.is_finite()))
        .collect::<Option<_>>()
        .ok_or("give one or three finite numbers, parted by commas")?;
    match values[..] {
        [value] => Ok([value; 3]),
        [a, b, c] => Ok([a, b, c]),
        _ => Err(format!("{} numbers; give one or three", values.len())),
    }
}

/// As [`parse_channels`], each above 0.
pub(crate) fn parse_divisors(text: &str) -> Result<[f32; 3], String> {
    let values = parse_channels(text)?;
    if values.iter().all(|value| *value > 0.0) {
        Ok(values)
    } else {
        Err("divisors must be above 0".to_owned())
    }
}

/// A kind of head by name.
pub(crate) fn parse_head(text: &str) -> Result<HeadKind, String> {
    text.parse()
}

/// Anchors by level, width and height in input pixels. A type of its own: a list in an option is several values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Anchors(pub(crate) Vec<Vec<[f32; 2]>>);

/// `W,H W,H ...; W,H ...; ...`: levels from the finest.
pub(crate) fn parse_anchors(text: &str) -> Result<Anchors, String> {
    let number = |text: &str| text.trim().parse::<f32>().ok().filter(|v| v.is_finite() && *v > 0.0);
    let anchor = |pair: &str| {
        let sides = pair.split_once(',').and_then(|(width, height)| Some([number(width)?, number(height)?]));
        sides.ok_or_else(|| format!("\"{pair}\" is not W,H: two numbers above 0 without a space"))
    };
    let mut levels = Vec::new();
    for level in text.trim().trim_end_matches(';').split(';') {
        let anchors: Vec<[f32; 2]> = level.split_whitespace().map(anchor).collect::<Result<_, _>>()?;
        if anchors.is_empty() {
            return Err(format!("level {} is empty; give \"W,H W,H; W,H W,H\"", levels.len()));
        }
        levels.push(anchors);
    }
    Ok(Anchors(levels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_by_level() {
        let anchors = |text| parse_anchors(text).map(|anchors| anchors.0);
        let found = anchors("10,13 16,30;30,61.5 62,45 ; ").unwrap();
        assert_eq!(found, [vec![[10.0, 13.0], [16.0, 30.0]], vec![[30.0, 61.5], [62.0, 45.0]]]);
        for bad in ["", ";", "10", "10,13 16", "10,0", "10,-1", "10,NaN", "1,2;;3,4", "1,2,3", "1, 2"] {
            assert!(anchors(bad).is_err(), "{bad}");
        }
        assert!(anchors("1,2; 3").unwrap_err().contains("\"3\" is not W,H"));
    }

    #[test]
    fn heads_by_name() {
        assert!(HeadKind::all().all(|kind| parse_head(&kind.to_string()) == Ok(kind)));
        assert!(parse_head("yolo9000").unwrap_err().contains("yolox, gfl, "));
    }

    #[test]
    fn sizes_and_overlaps() {
        assert_eq!(parse_tile("640"), Ok([640, 640]));
        assert_eq!(parse_tile("640x512"), Ok([640, 512]));
        assert_eq!(parse_overlap("0.2x0"), Ok([0.2, 0.0]));
        for bad in ["0", "640x0", "", "x", "-1", "1.5", "1x2x3", "99999999999"] {
            assert!(parse_tile(bad).is_err(), "{bad}");
        }
        for bad in ["1", "-0.1", "NaN", "inf", "", "0.2x1", "a"] {
            assert!(parse_overlap(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_pads_and_channels() {
        assert_eq!(parse_share("1"), Ok(1.0));
        for bad in ["1.01", "-0.1", "NaN", "inf", ""] {
            assert!(parse_share(bad).is_err(), "{bad}");
        }
        assert!(parse_pad("256").is_err() && parse_pad("NaN").is_err());
        assert_eq!(parse_channels("1, 2,3"), Ok([1.0, 2.0, 3.0]));
        assert_eq!(parse_channels("7"), Ok([7.0; 3]));
        assert!(parse_channels("1,2").is_err() && parse_channels("1,NaN,2").is_err());
        assert!(parse_divisors("1,0,1").is_err());
    }

    #[test]
    fn sigmas_and_classes() {
        assert_eq!(parse_sigma("0.01"), Ok(0.01));
        for bad in ["0", "0.001", "10.5", "NaN", "inf", "-1", ""] {
            assert!(parse_sigma(bad).is_err(), "{bad}");
        }
        let threshold = |class: &str, threshold| Ok(ClassThreshold { class: class.to_owned(), threshold });
        assert_eq!(parse_class_threshold("traffic light=0.25"), threshold("traffic light", 0.25));
        assert_eq!(parse_class_threshold(" a=b = 1 "), threshold("a=b", 1.0));
        for bad in ["car", "=0.5", "car=", "car=2", "car=NaN", ""] {
            assert!(parse_class_threshold(bad).is_err(), "{bad}");
        }
        assert!(parse_class(" ").is_err());
    }
}
