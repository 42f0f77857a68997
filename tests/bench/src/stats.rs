//! Medians, ratios and percentiles. Pure.

/// The middle one, or the mean of the middle two; none of no figures.
pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    let sorted = sorted(figures);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

/// The least and the greatest.
pub(crate) fn range(figures: &[f64]) -> Option<(f64, f64)> {
    let sorted = sorted(figures);
    Some((*sorted.first()?, *sorted.last()?))
}

/// The median of the ratios of each round: rounds are interleaved, so both sides of one saw the same machine.
pub(crate) fn ratio(figures: &[f64], to: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> =
        figures.iter().zip(to).filter(|(_, base)| **base > 0.0).map(|(figure, base)| figure / base).collect();
    median(&ratios)
}

/// The least figure that `per_mille` of a thousand figures do not exceed.
pub(crate) fn percentile(figures: &[f64], per_mille: usize) -> Option<f64> {
    let sorted = sorted(figures);
    let rank = (sorted.len() * per_mille).div_ceil(1000);
    sorted.get(rank.max(1) - 1).copied()
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_middle_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_ratio_pairs_the_rounds() {
        // Both halved in the last round, when something else ran: the ratio does not move.
        assert_eq!(ratio(&[60.0, 62.0, 30.0], &[100.0, 100.0, 50.0]), Some(0.6));
        assert_eq!(ratio(&[60.0], &[0.0]), None);
        assert_eq!(ratio(&[60.0], &[]), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let figures: Vec<f64> = (1..=1000).rev().map(f64::from).collect();
        assert_eq!(percentile(&figures, 500), Some(500.0));
        assert_eq!(percentile(&figures, 990), Some(990.0));
        assert_eq!(percentile(&figures, 999), Some(999.0));
        assert_eq!(percentile(&figures, 1000), Some(1000.0));
        assert_eq!(percentile(&[7.0], 990), Some(7.0));
        assert_eq!(percentile(&[], 990), None);
    }

    #[test]
    fn the_range_is_the_least_and_the_greatest() {
        assert_eq!(range(&[2.0, 9.0, 1.0]), Some((1.0, 9.0)));
        assert_eq!(range(&[]), None);
    }
}
