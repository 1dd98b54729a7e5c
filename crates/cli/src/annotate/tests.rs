use super::*;
use tilehawk::geom::RectPx;

const GREY: Rgb<u8> = Rgb([128; 3]);

fn item(x0: f32, y0: f32, x1: f32, y1: f32, class_id: u32) -> Detection {
    Detection { rect: RectPx::new(x0, y0, x1, y1), score: 0.9, class_id }
}

#[test]
fn an_outline_lies_on_the_edge_pixels_of_the_box() {
    let mut picture = RgbImage::from_pixel(40, 30, GREY);
    let rect = PixelRect::covering(RectPx::new(10.2, 5.0, 19.5, 15.0), [40, 30]);
    assert_eq!(rect, PixelRect::new(10, 5, 20, 15));
    paint::outline(&mut picture, rect, 1, colour(0));
    for (x, y, pixel) in picture.enumerate_pixels() {
        let inside = (10..20).contains(&x) && (5..15).contains(&y);
        let within = (11..19).contains(&x) && (6..14).contains(&y);
        let around = (9..21).contains(&x) && (4..16).contains(&y);
        let expected = match (within, inside, around) {
            (true, ..) | (_, _, false) => GREY,
            (_, true, _) => colour(0),
            _ => Rgb([64; 3]),
        };
        assert_eq!(*pixel, expected, "{x} {y}");
    }
}

#[test]
fn a_thicker_outline_grows_outwards() {
    let mut picture = RgbImage::from_pixel(40, 30, GREY);
    paint::outline(&mut picture, PixelRect::new(10, 5, 20, 15), 3, colour(0));
    let drawn = |x: u32, y: u32| *picture.get_pixel(x, y) == colour(0);
    assert!(drawn(8, 10) && drawn(10, 10) && !drawn(7, 10) && !drawn(11, 10));
    assert!(drawn(21, 10) && drawn(19, 10) && !drawn(22, 10) && !drawn(18, 10));
}

#[test]
fn boxes_at_and_beyond_the_edge_are_clipped() {
    let rect = PixelRect::covering(RectPx::new(-5.0, 29.9, 90.0, 70.0), [40, 30]);
    assert_eq!(rect, PixelRect::new(0, 29, 40, 30));
    let mut picture = RgbImage::from_pixel(40, 30, GREY);
    let items = [item(-5.0, -5.0, 90.0, 90.0, 1), item(40.0, 30.0, 40.0, 30.0, 2)];
    draw(&mut picture, &items, &["car".to_owned(), "x".to_owned()]).unwrap();
    assert_eq!(*picture.get_pixel(0, 1), colour(1));
    let mut tiny = RgbImage::from_pixel(1, 1, GREY);
    draw(&mut tiny, &items[..1], &["car".to_owned()]).unwrap();
}

#[test]
fn a_label_lies_above_its_box_with_text_in_it() {
    let mut picture = RgbImage::from_pixel(300, 200, GREY);
    let fill = colour(5);
    draw(&mut picture, &[item(100.0, 100.0, 160.0, 140.0, 5)], &["car".to_owned()]).unwrap();
    assert_eq!(*picture.get_pixel(101, 99), fill);
    let ink = contrast(fill);
    let inked = (100..160).flat_map(|x| (80..100).map(move |y| (x, y)));
    assert!(inked.filter(|&(x, y)| *picture.get_pixel(x, y) == ink).count() > 10);
    assert_eq!(*picture.get_pixel(130, 120), GREY);
}

#[test]
fn crowded_labels_never_lie_on_one_another() {
    let style = Style { line: 1, font: 12.0 };
    let lettering = Lettering::new(style.font).unwrap();
    let boxes: Vec<PixelRect> = (0..60).map(|i| PixelRect::new(150 + i, 150, 160 + i, 160)).collect();
    let mut layout = Layout::new([400, 300], &boxes, style);
    let words = [lettering.set("person 0.90"), lettering.set("0.90")];
    let spots: Vec<PixelRect> =
        boxes.iter().filter_map(|&rect| layout.place(rect, &words)).map(|(_, spot)| spot.rect).collect();
    assert!(spots.len() > 20, "{}", spots.len());
    for (index, a) in spots.iter().enumerate() {
        assert!(a.x0 >= 0 && a.y0 >= 0 && a.x1 <= 400 && a.y1 <= 300);
        for b in &spots[..index] {
            let apart = a.x1 <= b.x0 || b.x1 <= a.x0 || a.y1 <= b.y0 || b.y1 <= a.y0;
            assert!(apart, "{a:?} {b:?}");
        }
    }
}

#[test]
fn colours_are_stable_and_neighbours_differ() {
    assert_eq!(colour(7), colour(7));
    let apart = |a: Rgb<u8>, b: Rgb<u8>| (0..3).map(|i| a.0[i].abs_diff(b.0[i])).max();
    for class_id in 0..80 {
        assert!(apart(colour(class_id), colour(class_id + 1)) > Some(60), "{class_id}");
    }
    assert_eq!(contrast(Rgb([255, 255, 0])), Rgb([0; 3]));
    assert_eq!(contrast(Rgb([0, 0, 255])), Rgb([255; 3]));
}
