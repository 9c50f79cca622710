//! A table in plain text: columns as wide as they must be, two spaces between them.

use std::fmt::Write as _;

use anstyle::Style;

use super::style::{FAINT, PLAIN, paint};

/// Before what belongs to the row above.
const NOTE_INDENT: &str = "     ";

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

/// What may be done to a table that is wider than the terminal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Narrowing {
    /// This column, the last one, moves to lines of its own first.
    pub(crate) below: Option<&'static str>,
    /// Then these are left out one by one, in this order.
    pub(crate) dispensable: &'static [&'static str],
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

    /// The table in lines of `width` characters at most, as far as `narrowing` goes; as it is if
    /// there is no limit.
    pub(crate) fn render_within(&self, width: Option<usize>, narrowing: &Narrowing) -> String {
        let fits = |table: &Self| width.is_none_or(|width| table.width() <= width);
        if fits(self) {
            return self.render("");
        }
        let mut table = self.clone();
        let below = narrowing.below.and_then(|title| table.take_column(title));
        for title in narrowing.dispensable {
            if !fits(&table) {
                table.take_column(title);
            }
        }
        let text = table.render("");
        let Some(below) = below else { return text };
        let mut lines = String::new();
        for (number, (row, note)) in text.lines().zip(below).enumerate() {
            lines.push_str(row);
            lines.push('\n');
            // The heading of a column that is none any more says nothing.
            if number > 0 && !note.text.is_empty() {
                let _ = writeln!(lines, "{NOTE_INDENT}{}", paint(note.style, &note.text));
            }
        }
        lines
    }

    /// Takes the cells of a column out, heading first.
    pub(crate) fn take_column(&mut self, title: &str) -> Option<Vec<Cell>> {
        let heading = self.rows.first()?;
        let at = heading.iter().position(|cell| cell.text == title)?;
        self.columns.remove(at);
        let take = |row: &mut Vec<Cell>| if at < row.len() { row.remove(at) } else { "".into() };
        Some(self.rows.iter_mut().map(take).collect())
    }

    /// Length of the longest line.
    fn width(&self) -> usize {
        let plain = anstream::adapter::strip_str(&self.render("")).to_string();
        plain.lines().map(|line| line.chars().count()).max().unwrap_or(0)
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

    #[test]
    fn a_narrow_terminal_gets_what_matters_most() {
        let mut table = Table::new(&[
            (Align::Left, "name"),
            (Align::Right, "delay"),
            (Align::Right, "jitter"),
            (Align::Left, "why"),
        ]);
        table.row(["a.example", "12.3 µs", "1 µs", "agrees"].map(Cell::from));
        table.row(["b", "1 ms", "2 µs", ""].map(Cell::from));
        let narrowing = Narrowing { below: Some("why"), dispensable: &["jitter", "delay"] };
        let within = |width| {
            let shown = table.render_within(width, &narrowing);
            anstream::adapter::strip_str(&shown).to_string()
        };
        let wide = "\
name         delay  jitter  why
a.example  12.3 µs    1 µs  agrees
b             1 ms    2 µs
";
        assert_eq!(within(None), wide);
        assert_eq!(within(Some(34)), wide);
        let noted = "\
name         delay  jitter
a.example  12.3 µs    1 µs
     agrees
b             1 ms    2 µs
";
        assert_eq!(within(Some(33)), noted);
        assert_eq!(within(Some(26)), noted);
        let short = "\
name         delay
a.example  12.3 µs
     agrees
b             1 ms
";
        assert_eq!(within(Some(25)), short);
        assert_eq!(within(Some(3)), "name\na.example\n     agrees\nb\n");
    }
}
