//! A QR code (ISO/IEC 18004) as a path that a page draws, so that no picture and no script of others is needed.

use std::fmt::Write;

use fast_qr::ECL;
use fast_qr::qr::QRBuilder;
use serde::Serialize;

/// Drawn in an SVG of `size` by `size` units, dark on light, with four light units around it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Qr {
    /// Modules of a side.
    size: usize,
    /// An SVG path of squares of one unit.
    path: String,
}

impl Qr {
    /// Of this text; `None` where it is longer than any QR code, some 2,300 bytes.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
        let mut path = String::new();
        for (row, modules) in (0..code.size).map(|row| (row, &code[row])) {
            for (column, _) in modules.iter().enumerate().filter(|(_, module)| module.value()) {
                // Writing into a text cannot fail.
                let _ = write!(path, "M{column} {row}h1v1h-1z");
            }
        }
        Some(Self { size: code.size, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dark_module_is_one_square_and_the_finders_are_in_their_corners() {
        let qr = Qr::of("otpauth://totp/Hilum:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Hilum").unwrap();
        assert_eq!((qr.size - 17) % 4, 0, "a version's size");
        let last = qr.size - 1;
        for (column, row, dark) in
            [(0, 0, true), (last, 0, true), (0, last, true), (1, 1, false), (2, 2, true), (7, 7, false)]
        {
            assert_eq!(qr.path.contains(&format!("M{column} {row}h1v1h-1z")), dark, "{column} {row}");
        }
        assert!(Qr::of(&"x".repeat(3_000)).is_none());
    }
}
