use super::*;

fn tensor(rows: &[[f32; COLUMNS]]) -> Vec<u8> {
    let view = TensorView::new(Dtype::F32, vec![rows.len(), COLUMNS], bytemuck::cast_slice(rows)).unwrap();
    serialize([(TENSOR, view)], None).unwrap()
}

const ROWS: [[f32; COLUMNS]; 3] = [
    [0.0, 0.0, 10.5, 10.0, 0.5, 2.0],
    [0.1, 1.0, 9.0, 9.0, 0.9, 0.0],
    [5.0, 5.0, 5.0, 6.0, 0.7, 16_777_215.0],
];

#[test]
fn a_tensor_goes_round() {
    let mut file = BoxesFile::from_safetensors(&tensor(&ROWS)).unwrap();
    assert_eq!(file.count(), 3);
    file.groups_mut()[0].keep(&[2, 0]);
    assert_eq!(file.to_bytes(Form::Safetensors).unwrap(), tensor(&[ROWS[2], ROWS[0]]));
    let json = String::from_utf8(file.to_bytes(Form::Json).unwrap()).unwrap();
    assert!(json.contains(r#"{"cls_id":2,"score":0.5,"coordinate":[0.0,0.0,10.5,10.0]}"#), "{json}");
    assert_eq!(BoxesFile::from_safetensors(&tensor(&[])).unwrap().count(), 0);
}

#[test]
fn bad_rows_are_named() {
    let change = |column: usize, value: f32| {
        let mut rows = ROWS;
        rows[1][column] = value;
        BoxesFile::from_safetensors(&tensor(&rows)).map(|_| ()).unwrap_err()
    };
    for (column, value) in
        [(0, f32::NAN), (4, f32::INFINITY), (2, -1.0), (3, 0.5), (5, -1.0), (5, 0.5), (5, 16_777_216.0)]
    {
        let message = change(column, value);
        assert!(message.starts_with("box 1:"), "{message}");
    }
}

#[test]
fn wrong_shapes_types_and_bytes_are_refused() {
    let view = TensorView::new(Dtype::F32, vec![2, 3], &[0; 24]).unwrap();
    let flat = serialize([(TENSOR, view)], None).unwrap();
    assert!(BoxesFile::from_safetensors(&flat).unwrap_err().contains("[2, 3]"));
    let view = TensorView::new(Dtype::F32, vec![1, 6], &[0; 24]).unwrap();
    let other = serialize([("rows", view)], None).unwrap();
    assert!(BoxesFile::from_safetensors(&other).unwrap_err().contains("rows"));
    let whole = tensor(&ROWS);
    assert!(BoxesFile::from_safetensors(&whole[..whole.len() - 1]).is_err());
    assert!(BoxesFile::from_safetensors(b"").is_err());
    for bad in ["", "3", "{}", r#"{"boxes": 1}"#, r#"[{"image_id": 1}]"#, "[1"] {
        assert!(BoxesFile::from_json(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn coco_results_are_grouped_by_image_and_keep_their_fields() {
    let text = r#"[{"image_id":"b","score":0.5,"bbox":[1,2,3,4],"category_id":1,"track":"x"},{"image_id":7,"category_id":1,"bbox":[0,0,1,1],"score":0.25},{"image_id":"b","category_id":90,"bbox":[0.5,0,1,1],"score":0.75}]"#;
    let mut file = BoxesFile::from_json(text.as_bytes()).unwrap();
    assert_eq!(file.groups.len(), 2);
    assert_eq!(file.groups[0].boxes[0].rect, RectPx::new(1.0, 2.0, 4.0, 6.0));
    assert!(file.check_form(Form::Safetensors).is_err());
    file.groups_mut()[0].keep(&[1, 0]);
    let out = String::from_utf8(file.to_bytes(Form::Json).unwrap()).unwrap();
    assert_eq!(
        out,
        r#"[{"image_id":"b","category_id":90,"bbox":[0.5,0,1,1],"score":0.75},{"image_id":"b","score":0.5,"bbox":[1,2,3,4],"category_id":1,"track":"x"},{"image_id":7,"category_id":1,"bbox":[0,0,1,1],"score":0.25}]"#
    );
}

#[test]
fn a_document_keeps_its_other_fields() {
    let text = r#"{"input_path":"a.jpg","width":4,"height":5,"boxes":[{"cls_id":3,"label":"car","score":0.9,"coordinate":[0.1,2.0,30.7,4.5]},{"cls_id":3,"label":"car","score":0.1,"coordinate":[0,0,1,1]}],"stats":{"tiles":3}}"#;
    let mut file = BoxesFile::from_json(text.as_bytes()).unwrap();
    file.groups_mut()[0].keep(&[0]);
    let out = String::from_utf8(file.to_bytes(Form::Json).unwrap()).unwrap();
    let cut = r#",{"cls_id":3,"label":"car","score":0.1,"coordinate":[0,0,1,1]}"#;
    assert_eq!(out, text.replace(cut, ""));
}
