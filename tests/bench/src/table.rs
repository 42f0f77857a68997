//! Tables, in the form of Markdown that reads well in a terminal too. Pure.

use serde::{Deserialize, Serialize};

/// Rows of text under column heads; the first column names the row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new() }
    }

    /// Cells that are missing at the end stay empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table without its title, names to the left and figures to the right.
    pub(crate) fn text(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width(column)).collect();
        let mut text = line(&self.columns, &widths);
        text.push('|');
        for (column, width) in widths.iter().enumerate() {
            let rule = "-".repeat(width + 1);
            text.push_str(&if column == 0 { format!("{rule}-|") } else { format!("{rule}:|") });
        }
        text.push('\n');
        for row in &self.rows {
            text.push_str(&line(row, &widths));
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.chain(self.columns.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = "|".to_owned();
    for (column, &width) in widths.iter().enumerate() {
        let cell = cells.get(column).map_or("", String::as_str);
        text.push_str(&if column == 0 { format!(" {cell:<width$} |") } else { format!(" {cell:>width$} |") });
    }
    text.push('\n');
    text
}

// === cells ===

/// A rate, with thin groups of three digits as in `59 800`.
pub(crate) fn count(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Microseconds as milliseconds.
pub(crate) fn milliseconds(microseconds: f64) -> String {
    format!("{:.2} ms", microseconds / 1000.0)
}

/// A ratio.
pub(crate) fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2} x"))
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new("t", &["peer", "req/s"]);
        table.row(["nginx".to_owned(), "113 000".to_owned()]);
        table.row(["a".to_owned()]);
        let expected = "| peer  |   req/s |\n|-------|--------:|\n| nginx | 113 000 |\n| a     |         |\n";
        assert_eq!(table.text(), expected);
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(count(999.4), "999");
        assert_eq!(count(59_800.0), "59 800");
        assert_eq!(count(1_234_567.0), "1 234 567");
    }

    #[test]
    fn figures_have_their_units() {
        assert_eq!(milliseconds(1540.0), "1.54 ms");
        assert_eq!(mebibytes(5 << 19), "2.5 MiB");
        assert_eq!(times(Some(0.614)), "0.61 x");
        assert_eq!(times(None), "-");
    }
}
