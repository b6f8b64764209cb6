//! Whether a device's picture holds together, and how its VOI transform is described to the viewer. It never decodes.

use serde::{Deserialize, Serialize};
use wire::v1::ImageV1;
use wire::v1::image::VoiV1;

/// Most samples a side of a preview, by the frozen payload's own definition.
const MAX_SIDE: u16 = 1_024;

/// Most cells a side of a saliency grid: the model's own input side, finer than which no evidence can be.
const MAX_GRID: u16 = 224;

/// Most entries of a VOI LUT: one for every value of 16 bits (DICOM PS3.3 C.11.2.1.1).
const MAX_LUT_ENTRIES: usize = 65_536;

/// The VOI transform as the viewer needs it; a LUT's entries are an object of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Voi {
    /// `linear`, `linear_exact`, `sigmoid`, `lut` or `full_range` (DICOM PS3.3 C.11.2).
    pub kind: String,
    /// Window Center, in units after the modality LUT.
    pub center: Option<f64>,
    /// Window Width.
    pub width: Option<f64>,
    /// First value that a LUT maps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lut_first: Option<i32>,
    /// Bits of each LUT entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lut_bits: Option<u8>,
}

impl From<&VoiV1> for Voi {
    fn from(voi: &VoiV1) -> Self {
        let window = |kind: &str, center, width| Self {
            kind: kind.to_owned(),
            center: Some(center),
            width: Some(width),
            lut_first: None,
            lut_bits: None,
        };
        let plain =
            |kind: &str| Self { kind: kind.to_owned(), center: None, width: None, lut_first: None, lut_bits: None };
        match voi {
            VoiV1::FullRange => plain("full_range"),
            VoiV1::Linear { center, width } => window("linear", *center, *width),
            VoiV1::LinearExact { center, width } => window("linear_exact", *center, *width),
            VoiV1::Sigmoid { center, width } => window("sigmoid", *center, *width),
            VoiV1::Lut { first, bits, .. } => Self { lut_first: Some(*first), lut_bits: Some(*bits), ..plain("lut") },
        }
    }
}

/// Refuses a picture whose sizes contradict its bytes.
///
/// # Errors
/// A sentence that names the field.
pub fn check(image: &ImageV1) -> Result<(), String> {
    let preview = &image.preview;
    if !side(preview.rows, MAX_SIDE) || !side(preview.columns, MAX_SIDE) {
        return Err(format!("preview has a side outside 1 to {MAX_SIDE}"));
    }
    if preview.samples.len() != 2 * usize::from(preview.rows) * usize::from(preview.columns) {
        return Err("preview.samples is not rows × columns × 2 bytes".to_owned());
    }
    if let Some(saliency) = &image.saliency {
        if !side(saliency.rows, MAX_GRID) || !side(saliency.columns, MAX_GRID) {
            return Err(format!("saliency has a side outside 1 to {MAX_GRID}"));
        }
        if saliency.values.len() != usize::from(saliency.rows) * usize::from(saliency.columns) {
            return Err("saliency.values is not rows × columns bytes".to_owned());
        }
    }
    voi(&preview.voi)
}

fn side(cells: u16, most: u16) -> bool {
    (1..=most).contains(&cells)
}

fn voi(voi: &VoiV1) -> Result<(), String> {
    match voi {
        VoiV1::FullRange => Ok(()),
        VoiV1::Linear { center, width } | VoiV1::LinearExact { center, width } | VoiV1::Sigmoid { center, width } => {
            let usable = center.is_finite() && width.is_finite() && *width > 0.0;
            usable.then_some(()).ok_or_else(|| "voi has a window that is no number or has no width".to_owned())
        }
        VoiV1::Lut { bits, data, .. } => {
            let usable = (8..=16).contains(bits)
                && data.len().is_multiple_of(2)
                && (1..=MAX_LUT_ENTRIES).contains(&(data.len() / 2));
            usable.then_some(()).ok_or_else(|| "voi has a LUT of impossible size".to_owned())
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use wire::v1::image::{PreviewV1, SaliencyV1};

    pub(crate) fn image() -> ImageV1 {
        ImageV1 {
            result: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            preview: PreviewV1 {
                packed: vec![],
                rows: 1,
                columns: 2,
                samples: vec![1, 0, 255, 15],
                offset: -3,
                invert: true,
                voi: VoiV1::Linear { center: 40.0, width: 400.0 },
            },
            saliency: Some(SaliencyV1 { rows: 1, columns: 1, values: vec![255] }),
        }
    }

    #[test]
    fn a_picture_that_holds_together_is_accepted() {
        assert_eq!(check(&image()), Ok(()));
        assert_eq!(check(&ImageV1 { saliency: None, ..image() }), Ok(()));
    }

    #[test]
    fn a_picture_that_contradicts_itself_is_refused() {
        let changes: [fn(&mut ImageV1); 8] = [
            |i| i.preview.rows = 0,
            |i| i.preview.columns = 1_025,
            |i| i.preview.samples.truncate(3),
            |i| i.saliency.as_mut().unwrap().rows = 2,
            |i| i.saliency.as_mut().unwrap().columns = 0,
            |i| i.preview.voi = VoiV1::Sigmoid { center: 0.0, width: 0.0 },
            |i| i.preview.voi = VoiV1::LinearExact { center: f64::NAN, width: 1.0 },
            |i| i.preview.voi = VoiV1::Lut { first: 0, bits: 12, data: vec![0] },
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut broken = image();
            change(&mut broken);
            assert!(check(&broken).is_err(), "change {index} was accepted");
        }
    }

    #[test]
    fn each_transform_is_described_by_its_own_fields() {
        let json = |voi: &VoiV1| serde_json::to_string(&Voi::from(voi)).unwrap();
        assert_eq!(json(&VoiV1::FullRange), r#"{"kind":"full_range","center":null,"width":null}"#);
        assert_eq!(json(&VoiV1::Sigmoid { center: 1.0, width: 2.0 }), r#"{"kind":"sigmoid","center":1.0,"width":2.0}"#);
        assert_eq!(
            json(&VoiV1::Lut { first: -1, bits: 12, data: vec![0, 0] }),
            r#"{"kind":"lut","center":null,"width":null,"lut_first":-1,"lut_bits":12}"#
        );
    }
}
