//! Properties of the transform; its values are checked against reference vectors in `tests/vectors.rs`.

use proptest::prelude::*;

use super::*;

fn frame(stored: Vec<i32>, modality: &Modality, voi: Voi, invert: bool, padding: Option<(i32, i32)>) -> Frame<'static> {
    let transform = Transform { modality: modality.clone(), voi, invert, padding };
    Frame::of_values((1, stored.len()), stored, transform)
}

#[test]
fn a_fractional_rescale_moves_the_window_and_changes_no_brightness() {
    let rescale = Modality::Rescale { slope: 0.25, intercept: -10.5 };
    let stored: Vec<i32> = (0..4096).step_by(7).collect();
    let voi = Voi::Linear { center: 300.0, width: 450.0 };
    let moved = frame(stored.clone(), &rescale, voi.clone(), false, None).display();
    let direct: Vec<u8> = stored
        .iter()
        .map(|s| {
            let x = f64::from(*s) * 0.25 - 10.5;
            let y = ((x - 299.5) / 449.0 + 0.5) * 255.0;
            (y.clamp(0.0, 255.0) + 0.5).floor() as u8
        })
        .collect();
    assert_eq!(moved, direct);
}

#[test]
fn a_negative_slope_inverts_and_an_integer_one_is_exact() {
    let modality = Modality::Rescale { slope: -1.0, intercept: 1000.0 };
    let frame = frame(vec![0, 500, 1000], &modality, Voi::FullRange, false, None);
    assert_eq!((frame.values(), frame.range), (vec![1000, 500, 0], (0, 1000)));
    assert_eq!(frame.display(), [255, 128, 0]);
}

#[test]
fn a_modality_lut_comes_before_the_window() {
    let lut = Lut::new(10, 8, vec![0, 100, 200]).unwrap();
    let frame =
        frame(vec![0, 10, 11, 12, 99], &Modality::Lut(lut), Voi::Linear { center: 128.0, width: 256.0 }, false, None);
    assert_eq!(frame.display(), [0, 0, 100, 200, 200]);
}

#[test]
fn padding_is_black_in_both_photometric_interpretations_and_outside_the_range() {
    for (invert, live) in [(false, [0, 255]), (true, [255, 0])] {
        let frame =
            frame(vec![-2000, 100, 200, -2000], &Modality::IDENTITY, Voi::FullRange, invert, Some((-2000, -1999)));
        assert_eq!(frame.range, (100, 200));
        let grey = frame.display();
        assert_eq!([grey[1], grey[2]], live);
        assert_eq!([grey[0], grey[3]], [0, 0]);
    }
}

#[test]
fn an_image_of_nothing_but_padding_is_black() {
    let frame = frame(vec![7, 7], &Modality::IDENTITY, Voi::FullRange, false, Some((7, 7)));
    assert_eq!(frame.display(), [0, 0]);
}

#[test]
fn windows_that_cannot_be_computed_with_become_the_full_range() {
    for voi in [
        Voi::Linear { center: 100.0, width: 0.0 },
        Voi::LinearExact { center: 100.0, width: -1.0 },
        Voi::Sigmoid { center: f64::NAN, width: 10.0 },
    ] {
        assert_eq!(frame(vec![5, 6], &Modality::IDENTITY, voi, false, None).display(), [0, 255]);
    }
}

#[test]
fn extreme_rescales_saturate() {
    let modality = Modality::Rescale { slope: 2_000_000_000.0, intercept: 0.0 };
    let frame = frame(vec![-5, 0, 5], &modality, Voi::FullRange, false, None);
    assert_eq!(frame.range, (i32::MIN, i32::MAX));
    assert_eq!(frame.display(), [0, 128, 255]);
}

fn any_voi() -> impl Strategy<Value = Voi> {
    let window = || (-5000f64..5000.0, 1f64..9000.0);
    prop_oneof![
        Just(Voi::FullRange),
        window().prop_map(|(center, width)| Voi::Linear { center, width }),
        window().prop_map(|(center, width)| Voi::LinearExact { center, width }),
        window().prop_map(|(center, width)| Voi::Sigmoid { center, width }),
    ]
}

proptest! {
    #[test]
    fn brightness_never_falls_as_values_rise(voi in any_voi(), mut values in proptest::collection::vec(-5000i32..5000, 2..50)) {
        values.sort_unstable();
        let grey = frame(values, &Modality::IDENTITY, voi, false, None).display();
        prop_assert!(grey.is_sorted(), "{grey:?}");
    }

    #[test]
    fn inversion_is_exact(voi in any_voi(), values in proptest::collection::vec(-5000i32..5000, 1..50)) {
        let plain = frame(values.clone(), &Modality::IDENTITY, voi.clone(), false, None).display();
        let inverted = frame(values, &Modality::IDENTITY, voi, true, None).display();
        prop_assert!(plain.iter().zip(&inverted).all(|(a, b)| a + b == 255));
    }
}
