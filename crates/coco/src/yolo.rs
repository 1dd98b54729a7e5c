//! Annotations as the text files of YOLO.

use std::fmt::Write;

/// A line `class cx cy width height`: the class counts from 0, and the box `[x, y, width, height]` in pixels becomes shares
/// of a picture of `size` (width, height).
pub fn yolo_line(class: usize, bbox: [f64; 4], size: [u32; 2]) -> String {
    let [width, height] = size.map(f64::from);
    let [x, y, w, h] = bbox;
    let shares = [(x + w / 2.0) / width, (y + h / 2.0) / height, w / width, h / height];
    shares.iter().fold(class.to_string(), |mut line, share| {
        // Writing to a String does not fail.
        let _ = write!(line, " {share:.6}");
        line
    })
}

/// A `data.yaml` for `images` and `labels` beside it. `names` are the classes in order.
pub fn yolo_yaml(names: &[&str]) -> String {
    let mut text = String::from(
        "# The folder `labels` lies beside `images`. Point `val` at the tiles of another data set to judge by.\n\
         train: images\nval: images\nnames:\n",
    );
    for (class, name) in names.iter().enumerate() {
        // A JSON text is a YAML one.
        let _ = writeln!(text, "  {class}: {}", serde_json::Value::from(*name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_as_shares() {
        assert_eq!(
            yolo_line(2, [10.0, 20.0, 30.0, 40.0], [100, 200]),
            "2 0.250000 0.200000 0.300000 0.200000"
        );
        assert_eq!(yolo_line(0, [0.0, 0.0, 1.0, 1.0], [1, 1]), "0 0.500000 0.500000 1.000000 1.000000");
    }

    #[test]
    fn names_are_quoted() {
        let text = yolo_yaml(&["car", "a \"b\": c"]);
        assert!(text.ends_with("names:\n  0: \"car\"\n  1: \"a \\\"b\\\": c\"\n"), "{text}");
    }
}
