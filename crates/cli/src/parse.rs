//! Parsers of argument values; their errors say what to give instead.

use crate::args::ClassThreshold;

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

#[cfg(test)]
mod tests {
    use super::*;

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
