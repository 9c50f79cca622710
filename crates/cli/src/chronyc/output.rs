//! Where answers go: standard output, in the presentation that was asked for.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::record::{Presentation, Record};

/// Prints the answer to one command after another.
pub(super) struct Output<W> {
    to: W,
    presentation: Presentation,
    /// The rows of a table, until the table is complete and can be an array.
    rows: Option<Vec<Record>>,
}

impl<W: Write> Output<W> {
    pub(super) fn new(to: W, presentation: Presentation) -> Self {
        Self { to, presentation, rows: None }
    }

    pub(super) fn presentation(&self) -> Presentation {
        self.presentation
    }

    /// A report that is complete in itself.
    pub(super) fn report(&mut self, record: &Record) -> io::Result<()> {
        match self.presentation {
            Presentation::Text => writeln!(self.to, "{}", record.text()),
            Presentation::Csv => writeln!(self.to, "{}", record.csv()),
            Presentation::Json => self.json(record),
        }
    }

    /// The beginning of a table: its header, underlined.
    pub(super) fn table(&mut self, header: &str) -> io::Result<()> {
        match self.presentation {
            Presentation::Text => writeln!(self.to, "{header}\n{}", "=".repeat(header.len())),
            Presentation::Csv => Ok(()),
            Presentation::Json => {
                self.list();
                Ok(())
            }
        }
    }

    /// The beginning of a table without a header.
    pub(super) fn list(&mut self) {
        if self.presentation == Presentation::Json {
            self.rows = Some(Vec::new());
        }
    }

    /// A row of the table that was begun.
    pub(super) fn row(&mut self, record: Record) -> io::Result<()> {
        match &mut self.rows {
            Some(rows) => {
                rows.push(record);
                Ok(())
            }
            None => self.report(&record),
        }
    }

    /// The end of the table.
    pub(super) fn end_of_table(&mut self) -> io::Result<()> {
        match self.rows.take() {
            Some(rows) => self.json(&rows),
            None => Ok(()),
        }
    }

    /// Words for people only.
    pub(super) fn words(&mut self, words: &str) -> io::Result<()> {
        match self.presentation {
            Presentation::Text => self.to.write_all(words.as_bytes()),
            Presentation::Csv | Presentation::Json => Ok(()),
        }
    }

    /// A line in every presentation but JSON, which has a value instead.
    pub(super) fn line(&mut self, line: &str, json: &Value) -> io::Result<()> {
        // A table that was begun has no end: what is said now is why.
        self.rows = None;
        match self.presentation {
            Presentation::Text | Presentation::Csv => writeln!(self.to, "{line}"),
            Presentation::Json => self.json(json),
        }
    }

    /// A line of one dot, in every presentation.
    pub(super) fn end_of_answer(&mut self) -> io::Result<()> {
        self.to.write_all(b".\n")
    }

    /// Everything so far reaches the reader.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.to, value)?;
        self.to.write_all(b"\n")
    }
}
