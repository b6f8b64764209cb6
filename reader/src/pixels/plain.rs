//! PNG and JPEG files as grey images: golden radiographs, and what `wrap` makes DICOM objects of. It never guesses a window.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageReader};

use super::Limits;

/// A grey image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// Rows, 1 or more.
    pub rows: usize,
    /// Columns, 1 or more.
    pub columns: usize,
    /// Row-major, 0 black.
    pub samples: Samples,
}

/// Grey values in the depth that the file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Samples {
    /// 0 to 255.
    Eight(Vec<u8>),
    /// 0 to 65535.
    Sixteen(Vec<u16>),
}

/// Why a file is not a usable PNG or JPEG.
#[derive(Debug, thiserror::Error)]
pub enum PlainError {
    /// It cannot be opened.
    #[error("the image file cannot be read; check its path and permissions")]
    Read(#[from] std::io::Error),
    /// It is over the limit.
    #[error("the image file has {bytes} bytes and the limit is {limit}; use a smaller copy")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// It is neither PNG nor JPEG, or broken.
    #[error("this is not a readable PNG or JPEG image; convert it to one of these")]
    Decode(#[from] image::ImageError),
}

/// Reads the PNG or JPEG file at `path`, told apart by content.
pub fn load(path: &Path, limits: &Limits) -> Result<Plain, PlainError> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > limits.file_bytes {
        return Err(PlainError::TooLarge { bytes, limit: limits.file_bytes });
    }
    decode_limited(&std::fs::read(path)?, limits)
}

/// Decodes PNG or JPEG bytes under the default limits.
pub fn decode(bytes: &[u8]) -> Result<Plain, PlainError> {
    decode_limited(bytes, &Limits::default())
}

fn decode_limited(bytes: &[u8], limits: &Limits) -> Result<Plain, PlainError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut decoder = image::Limits::default();
    decoder.max_alloc = Some(limits.pixels * 8);
    reader.limits(decoder);
    let image = reader.decode()?;
    let (rows, columns) = (image.height() as usize, image.width() as usize);
    Ok(Plain { rows, columns, samples: grey(&image) })
}

fn grey(image: &DynamicImage) -> Samples {
    match image {
        DynamicImage::ImageLuma8(grey) => Samples::Eight(grey.as_raw().clone()),
        DynamicImage::ImageLuma16(grey) => Samples::Sixteen(grey.as_raw().clone()),
        DynamicImage::ImageLumaA16(_) => Samples::Sixteen(image.to_luma16().into_raw()),
        other => Samples::Eight(other.to_rgb8().pixels().map(|p| luminance(p[0], p[1], p[2])).collect()),
    }
}

/// ITU-R BT.601 luminance in integers, as Pillow's `convert("L")`, so that training and appliance agree to the bit.
/// Grey input stays itself.
#[must_use]
pub fn luminance(red: u8, green: u8, blue: u8) -> u8 {
    ((u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_stays_itself_and_primaries_have_their_weights() {
        assert!((0..=255).all(|g| luminance(g, g, g) == g));
        assert_eq!([luminance(255, 0, 0), luminance(0, 255, 0), luminance(0, 0, 255)], [76, 150, 29]);
    }

    #[test]
    fn both_depths_survive_a_png() {
        let sixteen = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(2, 1, vec![1u16, 65535]).unwrap();
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::ImageLuma16(sixteen).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        let plain = decode(bytes.get_ref()).unwrap();
        assert_eq!(plain, Plain { rows: 1, columns: 2, samples: Samples::Sixteen(vec![1, 65535]) });
        assert!(matches!(decode(b"not an image"), Err(PlainError::Decode(_) | PlainError::Read(_))));
    }
}
