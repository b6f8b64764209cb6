//! Against numbers that others computed: Cohen's textbook table, statsmodels 0.15 (kappa and its interval), scikit-learn 1.9
//! (kappa), Krippendorff's own example with its five kinds folded to four, and the package `krippendorff` 0.9.

use super::*;

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-9
}

#[test]
fn kappa_and_its_interval_are_those_of_statsmodels() {
    let textbook = [[20, 5, 0, 0], [10, 15, 0, 0], [0; 4], [0; 4]];
    let wide = [[53, 5, 2, 0], [11, 14, 5, 1], [1, 6, 10, 2], [0, 1, 3, 6]];
    for (table, value, low, high, films) in [
        (textbook, 0.4, 0.151_092_290_476_661, 0.648_907_709_523_338_9, 50),
        (wide, 0.518_647_007_805_724_1, 0.398_197_934_051_851_05, 0.639_096_081_559_597_2, 120),
        ([[10, 0, 0, 0], [0, 10, 0, 0], [0; 4], [0; 4]], 1.0, 1.0, 1.0, 20),
    ] {
        let found = cohen(&table).unwrap();
        assert!(near(found.value, value) && near(found.low, low) && near(found.high, high), "{found:?}");
        assert_eq!(found.films, films);
    }
}

#[test]
fn kappa_is_not_defined_where_nothing_varies() {
    assert_eq!(cohen(&[[0; 4]; 4]), None);
    assert_eq!(cohen(&[[30, 0, 0, 0], [0; 4], [0; 4], [0; 4]]), None);
    assert!(cohen(&[[30, 1, 0, 0], [0; 4], [0; 4], [0; 4]]).unwrap().value.abs() < 1e-12, "no better than chance");
}

/// Four observers and twelve films, one of them seen by one observer alone.
const KRIPPENDORFF: [[u32; KINDS]; 12] = [
    [3, 0, 0, 0],
    [0, 3, 1, 0],
    [0, 0, 4, 0],
    [0, 0, 4, 0],
    [0, 4, 0, 0],
    [1, 1, 1, 1],
    [0, 0, 0, 4],
    [3, 1, 0, 0],
    [0, 4, 0, 0],
    [0, 0, 0, 3],
    [2, 0, 0, 0],
    [0, 0, 1, 0],
];

#[test]
fn alpha_is_that_of_the_reference_and_leaves_out_what_one_alone_read() {
    let found = krippendorff(&KRIPPENDORFF, 1).unwrap();
    assert!(near(found.value, 0.736_930_860_033_726_9), "{found:?}");
    assert_eq!(found.films, 11);
    assert!(found.low < found.value && found.value < found.high && found.high <= 1.0, "{found:?}");
    assert_eq!(krippendorff(&KRIPPENDORFF, 1), Some(found), "the same seed, the same interval");
    assert_eq!(krippendorff(&[], 1), None);
    assert_eq!(krippendorff(&[[2, 0, 0, 0]; 5], 1), None);
}

#[test]
fn for_two_readers_alpha_is_that_of_the_reference_too() {
    let wide: Table = [[53, 5, 2, 0], [11, 14, 5, 1], [1, 6, 10, 2], [0, 1, 3, 6]];
    let mut films = Vec::new();
    for (first, row) in wide.iter().enumerate() {
        for (second, count) in row.iter().enumerate() {
            let mut film = [0; KINDS];
            film[first] += 1;
            film[second] += 1;
            films.extend(std::iter::repeat_n(film, *count as usize));
        }
    }
    let found = krippendorff(&films, 3).unwrap();
    assert!(near(found.value, 0.519_976_115_514_059_2), "{found:?}");
    // The bootstrap's interval and the large-sample one of kappa tell the same story.
    assert!((found.low - 0.398).abs() < 0.05 && (found.high - 0.639).abs() < 0.05, "{found:?}");
}

#[test]
fn two_readers_have_one_table_whoever_was_first() {
    let films = [[("bob", 0), ("ada", 1)], [("ada", 1), ("bob", 0)], [("ada", 2), ("eve", 2)]];
    let tables = pairs(&films);
    assert_eq!(tables.keys().copied().collect::<Vec<_>>(), [("ada", "bob"), ("ada", "eve")]);
    assert_eq!(tables[&("ada", "bob")][1][0], 2);
}
