//! The region that a reviewer draws on a film. Pure; it knows the image's size and nothing else of it.

use serde::{Deserialize, Serialize};

/// Points of a region at most: what the API promises to take; the dashboard's own lines end at half of it.
pub const MAX_POINTS: usize = 512;

/// How the points are to be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Upper left and lower right corner.
    Rectangle,
    /// Upper left and lower right corner of the box around it.
    Ellipse,
    /// A closed line through at least three points.
    Freehand,
}

/// A region in columns and rows of the stored image: (0, 0) is the upper left corner of its first pixel, (columns, rows) the
/// lower right corner of its last, as in DICOM's spatial coordinates (PS3.3, section C.18.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// How the points are to be joined.
    pub shape: Shape,
    /// `[column, row]` each; at most 512.
    pub points: Vec<[u32; 2]>,
}

impl Region {
    /// Refuses a region that does not lie on an image of this size, or encloses nothing.
    ///
    /// # Errors
    /// A sentence for the reviewer.
    pub fn check(&self, columns: i64, rows: i64) -> Result<(), String> {
        let outside = |[column, row]: &[u32; 2]| i64::from(*column) > columns || i64::from(*row) > rows;
        if self.points.iter().any(outside) {
            return Err(format!("The region leaves the image, which has {columns} columns and {rows} rows."));
        }
        match (self.shape, self.points.as_slice()) {
            (Shape::Rectangle | Shape::Ellipse, [[left, top], [right, bottom]]) if left < right && top < bottom => {
                Ok(())
            }
            (Shape::Rectangle | Shape::Ellipse, _) => {
                Err("A rectangle or an ellipse has two points, the upper left corner and the lower right one."
                    .to_owned())
            }
            (Shape::Freehand, points) if (3..=MAX_POINTS).contains(&points.len()) && self.encloses() => Ok(()),
            (Shape::Freehand, _) => {
                Err(format!("A freehand line has 3 to {MAX_POINTS} points and encloses something."))
            }
        }
    }

    /// Whether the box around it has an inside.
    fn encloses(&self) -> bool {
        let wide = |axis: usize| {
            let values = || self.points.iter().map(|point| point[axis]);
            values().min() < values().max()
        };
        wide(0) && wide(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Shape::{Ellipse, Freehand, Rectangle};

    fn check(shape: Shape, points: &[[u32; 2]]) -> bool {
        Region { shape, points: points.to_vec() }.check(200, 100).is_ok()
    }

    #[test]
    fn a_region_lies_on_the_image_and_encloses_something() {
        for (shape, points, good) in [
            (Rectangle, &[[0, 0], [200, 100]][..], true),
            (Ellipse, &[[10, 20], [11, 21]], true),
            (Rectangle, &[[0, 0], [201, 100]], false),
            (Rectangle, &[[0, 0], [200, 101]], false),
            (Rectangle, &[[10, 10], [10, 20]], false),
            (Rectangle, &[[20, 10], [10, 20]], false),
            (Rectangle, &[[0, 0], [1, 1], [2, 2]], false),
            (Ellipse, &[], false),
            (Freehand, &[[0, 0], [200, 0], [0, 100]], true),
            (Freehand, &[[0, 0], [200, 0]], false),
            (Freehand, &[[0, 5], [100, 5], [200, 5]], false),
            (Freehand, &[[0, 0], [u32::MAX, 0], [0, 100]], false),
        ] {
            assert_eq!(check(shape, points), good, "{shape:?} {points:?}");
        }
    }

    #[test]
    fn a_line_has_only_so_many_points() {
        let line = |count: u32| (0..count).map(|at| [at % 200, at / 200 * 10]).collect::<Vec<_>>();
        assert!(check(Freehand, &line(512)));
        assert!(!check(Freehand, &line(513)));
    }

    #[test]
    fn it_is_written_as_the_api_says() {
        let region = Region { shape: Ellipse, points: vec![[1, 2], [3, 4]] };
        let json = r#"{"shape":"ellipse","points":[[1,2],[3,4]]}"#;
        assert_eq!(serde_json::to_string(&region).unwrap(), json);
        assert_eq!(serde_json::from_str::<Region>(json).unwrap(), region);
        for broken in [r#"{"shape":"ellipse","points":[[1,-2],[3,4]]}"#, r#"{"shape":"star","points":[]}"#] {
            assert!(serde_json::from_str::<Region>(broken).is_err(), "{broken}");
        }
    }
}
