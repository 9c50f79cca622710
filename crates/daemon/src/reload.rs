//! Reading the configuration again, without losing what was learnt.

use std::path::PathBuf;

use timeball_config::{Config, Dialect, Mistakes, Style};

use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::{leap_seconds, logging};

/// Where a configuration comes from.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The file.
    pub path: PathBuf,
    /// The language it is written in.
    pub dialect: Dialect,
}

impl ConfigFile {
    /// Reads it and the list of leap seconds, and logs what is worth a warning.
    ///
    /// # Errors
    /// Every mistake in it, or what is wrong with the list that it names.
    pub fn load(&self) -> Result<Config, Mistakes> {
        let loaded = timeball_config::load(&self.path, self.dialect)?;
        for warning in &loaded.warnings {
            logging::warn_lines(&warning.render(&loaded.document, Style::Plain));
        }
        let leap_table = leap_seconds::load(&loaded)?;
        let mut config = loaded.config;
        config.engine.discipline.leap_table = leap_table;
        Ok(config)
    }
}

impl EventLoop {
    /// Reads the configuration file again and works by it from now on: sources that are still in
    /// it keep their history, sockets that are still wanted stay open. A file with mistakes changes
    /// nothing.
    ///
    /// Answers what was done, or why nothing was, in words.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub fn reload(&mut self) -> Result<Result<String, String>, Error> {
        let Some(file) = &self.config_file else {
            return Ok(Err("this daemon was started without a configuration file".into()));
        };
        match file.load() {
            Ok(config) => {
                let done = format!("{} is in force", file.path.display());
                self.configure(config)?;
                Ok(Ok(done))
            }
            Err(mistakes) => {
                let mistakes = mistakes.to_string();
                logging::error_lines(&mistakes);
                tracing::error!("the configuration stays as it was");
                Ok(Err(format!("{mistakes}\nthe configuration stays as it was")))
            }
        }
    }
}
