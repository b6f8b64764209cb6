//! The compressions that dicom-rs does not decode, or not faithfully: JPEG XL and extended JPEG with 12 bits. Like every codec
//! they run in the child process alone; a refusal is a refusal, whatever its cause.

use dicom_dictionary_std::tags;
use dicom_object::DefaultDicomObject;
use jxl_oxide::JxlImage;

/// What a frame must come out as.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Samples per pixel, 1 or 3.
    pub(super) samples: usize,
    /// 8 or 16.
    pub(super) bits_allocated: u32,
}

/// The one frame's codestream: its fragments in a row (PS3.5 A.4).
pub(super) fn frame(object: &DefaultDicomObject) -> Option<Vec<u8>> {
    let fragments = object.element_opt(tags::PIXEL_DATA).ok()??.fragments()?;
    Some(fragments.concat())
}

/// A JPEG XL image as interleaved samples of its own depth. jxl-oxide speaks in floats from 0 to 1; 24 bits of fraction hold
/// a sample of 16 exactly.
pub(super) fn jpeg_xl(frame: &[u8], shape: Shape) -> Option<Vec<u8>> {
    let image = JxlImage::builder().read(frame).ok()?;
    // Before anything is rendered, so that a few bytes cannot ask for gigabytes.
    if (image.height() as usize, image.width() as usize) != (shape.rows, shape.columns) {
        return None;
    }
    let bits = image.image_header().metadata.bit_depth.bits_per_sample();
    if bits > shape.bits_allocated {
        return None;
    }
    let render = image.render_frame(0).ok()?;
    let mut stream = render.stream_no_alpha();
    if stream.channels() as usize != shape.samples {
        return None;
    }
    let mut units = vec![0f32; shape.rows * shape.columns * shape.samples];
    if stream.write_to_buffer(&mut units) != units.len() {
        return None;
    }
    let most = f64::from((1u32 << bits) - 1);
    // `as` saturates: a lossy image may swing beyond both ends.
    let sample = |unit: f32| (f64::from(unit) * most + 0.5).min(most) as u16;
    Some(match shape.bits_allocated {
        8 => units.into_iter().map(|unit| sample(unit) as u8).collect(),
        _ => units.into_iter().flat_map(|unit| sample(unit).to_le_bytes()).collect(),
    })
}

/// An extended JPEG (ITU-T T.81, SOF1) of one component with 12 bits, in 16 allocated ones.
pub(super) fn jpeg_twelve(frame: &[u8], shape: Shape) -> Option<Vec<u8>> {
    let needed = shape.rows * shape.columns * 2;
    let raster = openreadout_codecs::jpeg_decode_limited(frame, needed).ok()?;
    let as_stated = (raster.height as usize, raster.width as usize, raster.channels as usize, raster.bits_per_sample)
        == (shape.rows, shape.columns, 1, shape.bits_allocated);
    (as_stated && shape.samples == 1 && raster.bits_per_sample == 16).then_some(raster.data)
}
