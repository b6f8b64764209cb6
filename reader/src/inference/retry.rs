//! What becomes of a batch whose process failed it, and how long the next process waits. Pure.
//!
//! Mostly the process was at fault, so the batch is run again as it is. Where it brings down one process after the other,
//! an image in it is suspected: the batch is halved until the image stands alone, and only then is it told so.

use std::time::Duration;

/// Failures of the same images before they are halved, or before a lone image is told: once may be chance.
const FAILURES: u32 = 3;

/// First pause between failures; doubled each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause: a driver that was reset is found again within half a minute.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What to do with the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Run them again.
    Again,
    /// Run each half on its own.
    Halve,
    /// Tell the one image's caller.
    Tell,
}

/// After the `failures`-th failure of these `images`, which are part of a larger batch that failed if `halved`: halves were
/// suspected before, so they get no second chance as a batch; a lone image gets all of them.
pub(super) fn then(images: usize, failures: u32, halved: bool) -> Then {
    match (images, failures >= FAILURES) {
        (0 | 1, true) => Then::Tell,
        (0 | 1, false) => Then::Again,
        (_, false) if !halved => Then::Again,
        _ => Then::Halve,
    }
}

/// How long to wait before the next process starts, after `failures` in a row: not at all after the first.
pub(super) fn pause(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        more => FIRST_PAUSE.saturating_mul(1 << (more - 2).min(16)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_tried_then_halved_and_a_lone_image_is_told() {
        for (images, failures, halved, expected) in [
            (8, 1, false, Then::Again),
            (8, 2, false, Then::Again),
            (8, 3, false, Then::Halve),
            (4, 1, true, Then::Halve),
            (2, 1, true, Then::Halve),
            (1, 1, true, Then::Again),
            (1, 2, true, Then::Again),
            (1, 3, true, Then::Tell),
            (1, 1, false, Then::Again),
            (1, 3, false, Then::Tell),
        ] {
            assert_eq!(then(images, failures, halved), expected, "{images} {failures} {halved}");
        }
    }

    /// Whatever the batch, one culprit costs a bounded number of processes and is told alone.
    #[test]
    fn one_culprit_is_found_in_every_place_of_every_batch() {
        for size in 1..=64usize {
            for culprit in 0..size {
                let (mut work, mut deaths, mut told, mut read) = (vec![(0..size, 0, false)], 0, vec![], 0);
                while let Some((images, failures, halved)) = work.pop() {
                    if !images.contains(&culprit) {
                        read += images.len();
                        continue;
                    }
                    deaths += 1;
                    match then(images.len(), failures + 1, halved) {
                        Then::Again => work.push((images, failures + 1, halved)),
                        Then::Tell => told.push(images),
                        Then::Halve => {
                            let middle = images.start + images.len() / 2;
                            work.push((images.start..middle, 0, true));
                            work.push((middle..images.end, 0, true));
                        }
                    }
                }
                let told: Vec<usize> = told.into_iter().flatten().collect();
                assert_eq!((told, read), (vec![culprit], size - 1));
                assert!(deaths <= 2 * FAILURES + size.ilog2() + 1, "{deaths} for {size}");
            }
        }
    }

    #[test]
    fn pauses_grow_to_their_bound() {
        let ms: Vec<u128> = [0, 1, 2, 3, 4, 9, 10, 11, 12, u32::MAX].map(|n| pause(n).as_millis()).to_vec();
        assert_eq!(ms, [0, 0, 100, 200, 400, 12_800, 25_600, 30_000, 30_000, 30_000]);
    }
}
