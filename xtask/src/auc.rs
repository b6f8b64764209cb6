//! How well a probability tells two classes apart. Pure.

/// Area under the receiver operating characteristic: the share of (positive, negative) pairs in which the positive has
/// the higher score, ties counting half (Mann–Whitney). `None` where one class is empty.
#[must_use]
pub(crate) fn auc(scores: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|(_, positive)| *positive).count();
    let negatives = sorted.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    // Negatives seen so far, in halves so that ties stay whole numbers.
    let (mut below, mut pairs) = (0, 0);
    for group in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let up = group.iter().filter(|(_, positive)| *positive).count();
        let down = group.len() - up;
        pairs += up * (2 * below + down);
        below += down;
    }
    // Counts of images, far below 2^52.
    Some(pairs as f64 / (2 * positives * negatives) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_pairs_and_halves_ties() {
        assert_eq!(auc(&[(0.1, false), (0.9, true)]), Some(1.0));
        assert_eq!(auc(&[(0.9, false), (0.1, true)]), Some(0.0));
        assert_eq!(auc(&[(0.5, false), (0.5, true)]), Some(0.5));
        // Pairs: .4>.1, .4<.6, .6=.6 half, .6>.1, so 2.5 of 4.
        assert_eq!(auc(&[(0.1, false), (0.6, false), (0.4, true), (0.6, true)]), Some(0.625));
        assert_eq!(auc(&[(0.1, true)]), None);
    }
}
