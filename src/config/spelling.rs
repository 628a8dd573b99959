//! The nearest known name to a mistyped one.

/// Edit distance with swaps of neighbours (restricted Damerau–Levenshtein), in characters.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// The name closest to `typed`, if it is close enough to be meant.
pub fn nearest<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let typed = typed.to_lowercase().replace('-', "_");
    let (d, name) = names.into_iter().map(|n| (distance(&typed, &n.replace('-', "_")), n)).min_by_key(|(d, _)| *d)?;
    (d <= 1 + typed.chars().count() / 4 && d < name.chars().count()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = ["theta", "twist", "rs", "nlayers", "learning_rate"];
        assert_eq!(nearest("thetta", names), Some("theta"));
        assert_eq!(nearest("tehta", names), Some("theta"));
        assert_eq!(nearest("n_layers", names), Some("nlayers"));
        assert_eq!(nearest("learning-rate", names), Some("learning_rate"));
        assert_eq!(nearest("temperature", names), None);
    }
}
