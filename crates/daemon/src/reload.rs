//! Reading the configuration again, without losing what was learnt.

use timeball_core::Event;
use timeball_core::engine::Command;

use crate::configuration::Complete;
use crate::error::Error;
use crate::event_loop::EventLoop;
use crate::logging;

impl EventLoop {
    /// Reads the configuration again and works by it from now on: sources that are still in it keep
    /// their history, sockets that are still wanted stay open. One with mistakes changes nothing.
    ///
    /// Answers what was done, or why nothing was, in words.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub fn reload(&mut self) -> Result<Result<String, String>, Error> {
        let Some(configuration) = &self.configuration else {
            return Ok(Err("this daemon was started without a configuration file".into()));
        };
        match configuration.load() {
            Ok(Complete { config, found }) => {
                if let Err(error) = self.key_ring.read_again(&config.files) {
                    let error = error.to_string();
                    logging::error_lines(&error);
                    tracing::error!("the configuration stays as it was");
                    return Ok(Err(format!("{error}\nthe configuration stays as it was")));
                }
                let done = format!("{} is in force", configuration.text.name());
                self.found = found;
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

    /// Says which sources the directories had at the start.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(crate) fn announce_found_sources(&mut self) -> Result<(), Error> {
        let all = self.report()?.sources;
        for source in self.found.sources() {
            let (name, kind) = (source.name.clone(), source.kind);
            let place =
                all.iter().position(|known| known.name == name).map_or(0, |index| index + 1);
            self.words.log(&Event::Added { name, kind, place });
        }
        Ok(())
    }

    /// Looks into the directories of sources again, and asks those that are there now.
    ///
    /// # Errors
    /// When this machine's clocks cannot be read.
    pub(crate) fn reload_sources(&mut self) -> Result<(), Error> {
        let family = self.configuration.as_ref().and_then(|it| it.overrides.family);
        let gone = self.found.sources().to_vec();
        let new = self.found.look(family);
        self.command(Command::Exchange { gone, new })?.map_err(Error::Command)
    }
}
