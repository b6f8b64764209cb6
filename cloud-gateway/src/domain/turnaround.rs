//! How long results wait for their first verdict. Pure.

/// Latest reviews of a site that its median is taken of: some days of a busy one, and few enough to be read each time.
pub const REVIEWS: i64 = 200;

/// The median of some durations, milliseconds; nothing of none. A device's clock that runs ahead makes no negative one.
#[must_use]
pub fn median_ms(mut durations: Vec<i64>) -> Option<i64> {
    durations.iter_mut().for_each(|ms| *ms = (*ms).max(0));
    durations.sort_unstable();
    let middle = durations.len() / 2;
    let upper = *durations.get(middle)?;
    if durations.len() % 2 == 1 {
        return Some(upper);
    }
    Some(i64::midpoint(durations[middle - 1], upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_halfway_between_two() {
        for (durations, median) in [
            (vec![], None),
            (vec![7], Some(7)),
            (vec![9, 1], Some(5)),
            (vec![100, 1, 2], Some(2)),
            (vec![4, 1, 100, 2], Some(3)),
            (vec![-5, -3, 4], Some(0)),
        ] {
            assert_eq!(median_ms(durations.clone()), median, "{durations:?}");
        }
    }
}
