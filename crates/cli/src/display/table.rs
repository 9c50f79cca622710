//! A table in plain text: columns as wide as they must be, two spaces between them.

use std::fmt::Write as _;

use anstyle::Style;

use super::style::{FAINT, PLAIN, paint};

/// To which side the cells of a column lean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What stands in one place of the table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn styled(style: Style, text: impl Into<String>) -> Self {
        Self { text: text.into(), style }
    }

    /// A dash where there is nothing to say.
    pub(crate) fn or_dash(text: Option<String>) -> Self {
        match text {
            Some(text) => text.into(),
            None => Self::styled(FAINT, "-"),
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(PLAIN, text)
    }
}

/// Rows under a heading.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns and no rows.
    pub(crate) fn new(columns: &[(Align, &str)]) -> Self {
        let heading = columns.iter().map(|(_, title)| Cell::styled(FAINT, *title)).collect();
        Self { columns: columns.iter().map(|(align, _)| *align).collect(), rows: vec![heading] }
    }

    /// A table without a heading.
    pub(crate) fn headless(columns: &[Align]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; a row may be shorter than the heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table, every line ended and begun with `indent`.
    pub(crate) fn render(&self, indent: &str) -> String {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(Cell::width).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = indent.to_owned();
            // Gaps are put off until something follows them: no line ends with spaces.
            let mut gap = 0;
            for ((cell, align), width) in row.iter().zip(&self.columns).zip(&widths) {
                let padding = width.saturating_sub(cell.width());
                if *align == Align::Right {
                    gap += padding;
                }
                if !cell.text.is_empty() {
                    let _ = write!(line, "{:gap$}{}", "", paint(cell.style, &cell.text));
                    gap = 0;
                }
                if *align == Align::Left {
                    gap += padding;
                }
                gap += 2;
            }
            text.push_str(line.trim_end_matches(' '));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::style::GOOD;
    use super::*;

    #[test]
    fn columns_line_up_whatever_their_style() {
        let mut table =
            Table::new(&[(Align::Left, "name"), (Align::Right, "delay"), (Align::Left, "why")]);
        table.row(["a.example".into(), Cell::styled(GOOD, "12.3 µs"), "".into()]);
        table.row(["b".into(), Cell::or_dash(None), "no answer".into()]);
        table.row(["c".into()]);
        let plain = anstream::adapter::strip_str(&table.render("  ")).to_string();
        let expected = "  \
  name         delay  why
  a.example  12.3 µs
  b                -  no answer
  c
";
        assert_eq!(plain, expected);
    }
}
