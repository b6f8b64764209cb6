//! The grey-scale transform and the resize against vectors that were computed by others (`vectors/make_*.py`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

use reader::pixels::grayscale::{Frame, Lut, Modality, Transform, Voi};
use reader::pixels::tensor::resize_area_u8;
use serde::Deserialize;

#[derive(Deserialize)]
struct File<T> {
    cases: Vec<T>,
}

#[derive(Deserialize)]
struct Grey {
    name: String,
    samples: Vec<i32>,
    offset: i32,
    voi: GreyVoi,
    invert: bool,
    expect: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum GreyVoi {
    Linear { center: f64, width: f64 },
    LinearExact { center: f64, width: f64 },
    Sigmoid { center: f64, width: f64 },
    FullRange,
    Lut { lut_first: i32, lut_bits: u8, lut: Vec<u16> },
}

impl From<GreyVoi> for Voi {
    fn from(voi: GreyVoi) -> Self {
        match voi {
            GreyVoi::Linear { center, width } => Self::Linear { center, width },
            GreyVoi::LinearExact { center, width } => Self::LinearExact { center, width },
            GreyVoi::Sigmoid { center, width } => Self::Sigmoid { center, width },
            GreyVoi::FullRange => Self::FullRange,
            GreyVoi::Lut { lut_first, lut_bits, lut } => Self::Lut(Lut::new(lut_first, lut_bits, lut).unwrap()),
        }
    }
}

#[test]
fn grey_scale_equals_the_reference() {
    let file: File<Grey> = serde_json::from_str(include_str!("vectors/grayscale.json")).unwrap();
    assert!(file.cases.len() >= 20);
    for case in file.cases {
        let values = case.samples.iter().map(|s| s + case.offset).collect::<Vec<_>>();
        let transform =
            Transform { modality: Modality::IDENTITY, voi: case.voi.into(), invert: case.invert, padding: None };
        let frame = Frame::of_values((1, values.len()), values, transform);
        assert_eq!(frame.display(), case.expect, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct Resize {
    source: [usize; 2],
    target: [usize; 2],
    samples: Vec<u8>,
    expect: Vec<u8>,
}

#[test]
fn resize_equals_numpy() {
    let file: File<Resize> = serde_json::from_str(include_str!("vectors/resize.json")).unwrap();
    assert!(file.cases.len() >= 10);
    for Resize { source: [h, w], target: [oh, ow], samples, expect } in file.cases {
        assert_eq!(resize_area_u8(&samples, h, w, oh, ow), expect, "{h}×{w} to {oh}×{ow}");
    }
}
