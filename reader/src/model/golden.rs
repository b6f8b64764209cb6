//! The golden radiographs: images with known logits, run on this very machine before the model may be used. A wrong
//! driver, a broken accelerator or a wrong library shows here and not in a patient's result.

use super::bundle::GoldenImage;
use super::{LoadError, ModelSession};

/// Runs every image on its own and compares its logit.
pub fn check(session: &mut ModelSession, images: &[GoldenImage]) -> Result<(), LoadError> {
    for image in images {
        let found = session.run(&[&image.grey])?.remove(0).logit;
        let difference = (f64::from(found) - image.case.logit).abs();
        // `session.run` has refused a logit that is not a number, and the bundle a tolerance that is none.
        if difference > image.case.tolerance {
            return Err(LoadError::Golden {
                file: image.file.clone(),
                expected: image.case.logit,
                tolerance: image.case.tolerance,
                found,
                provider: session.provider(),
            });
        }
    }
    Ok(())
}
