//! `timeball config`: is the file right, what may be in it, and what would it be in another language?

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use timeball_config::{Config, Dialect, Loaded, Mistakes, Style, native, reference};
use timeball_core::settings::SourceKind;

use crate::display::print;
use crate::outcome::{Failure, Outcome};

#[derive(Args, Debug)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show every mistake in a configuration file
    Check {
        /// The configuration file
        file: PathBuf,
        /// The language it is written in, if it cannot be told from its name and its text
        #[arg(long, value_parser = word_of(Dialect::WORDS))]
        dialect: Option<Dialect>,
    },
    /// Print a configuration file in another language
    ///
    /// What it prints means the same: it is read again and compared. What the file says that timeball
    /// does otherwise is told on standard error.
    Convert {
        /// The configuration file
        file: PathBuf,
        /// The language to print it in
        #[arg(long, default_value = "native", value_parser = ["native"])]
        to: String,
        /// The language it is written in, if it cannot be told from its name and its text
        #[arg(long, value_parser = word_of(Dialect::WORDS))]
        dialect: Option<Dialect>,
    },
    /// Print everything that a configuration file may say, as Markdown
    Reference,
}

pub(crate) fn run(arguments: &ConfigArguments) -> Result<Outcome, Failure> {
    match &arguments.command {
        ConfigCommand::Check { file, dialect } => check(file, *dialect),
        ConfigCommand::Convert { file, dialect, .. } => convert(file, *dialect),
        ConfigCommand::Reference => {
            print(&reference::markdown())?;
            Ok(Outcome::Yes)
        }
    }
}

fn check(file: &Path, dialect: Option<Dialect>) -> Result<Outcome, Failure> {
    let loaded = load(file, dialect)?;
    // The daemon would not start with a list that it cannot use.
    loaded.leap_seconds().map_err(refused)?;
    print(&format!("{}: OK: {}", file.display(), summary(&loaded.config)))?;
    Ok(Outcome::Yes)
}

fn convert(file: &Path, dialect: Option<Dialect>) -> Result<Outcome, Failure> {
    let loaded = load(file, dialect)?;
    let text = native::to_native(&loaded.config);
    // A value may be out of the range that the other language allows.
    let again = timeball_config::parse("timeball.toml", &text, Dialect::Native).map_err(refused)?;
    if again.config != loaded.config {
        let message = format!("what {} says cannot be said in timeball.toml", file.display());
        return Err(Failure::Configuration(message));
    }
    print(text.trim_end())?;
    Ok(Outcome::Yes)
}

/// Reads the file and tells its warnings.
pub(super) fn load(file: &Path, dialect: Option<Dialect>) -> Result<Loaded, Failure> {
    let dialect = dialect.unwrap_or_else(|| dialect_of(file));
    let loaded = timeball_config::load(file, dialect).map_err(refused)?;
    for warning in &loaded.warnings {
        let text = warning.render(&loaded.document, Style::of_stderr());
        anstream::eprintln!("{}", text.trim_end());
    }
    Ok(loaded)
}

fn refused(mistakes: Mistakes) -> Failure {
    Failure::Configuration(mistakes.render(Style::of_stderr()))
}

/// The language that a file is written in, by its name and the beginning of its text. A file that
/// cannot be read may be of any: whoever loads it says why.
pub(super) fn dialect_of(file: &Path) -> Dialect {
    const BEGINNING: u64 = 1 << 16;
    let mut text = Vec::new();
    let read = File::open(file).and_then(|file| file.take(BEGINNING).read_to_end(&mut text));
    match read {
        Ok(_) => Dialect::detect(file, &String::from_utf8_lossy(&text)),
        Err(_) => Dialect::Native,
    }
}

/// The configuration in one line.
fn summary(config: &Config) -> String {
    let counted = |count: usize, thing: &str| match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    };
    let is_pool = |kind: SourceKind| matches!(kind, SourceKind::Pool { .. });
    let sources = &config.engine.sources;
    let pools = sources.iter().filter(|source| is_pool(source.kind)).count();
    let servers = sources.len().saturating_sub(pools);
    let mut asked = vec![counted(servers, "server")];
    if pools > 0 {
        asked.push(counted(pools, "pool"));
    }
    let clocks = config.engine.reference_clocks.len();
    if clocks > 0 {
        asked.push(counted(clocks, "reference clock"));
    }
    let clock =
        if config.engine.discipline.control { "corrects the clock" } else { "watches the clock" };
    let served = if config.serves() {
        format!(
            "serves {} on port {}",
            counted(config.engine.server.allow.len(), "network"),
            config.serve.port
        )
    } else {
        "serves nobody".into()
    };
    format!("{}; {clock}; {served}", asked.join(", "))
}

/// Takes one of these words for what it stands for.
pub(super) fn word_of<T: Copy + Send + Sync + 'static>(
    words: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.iter().map(|(word, _)| *word)).try_map(|chosen| {
        let meant = words.iter().find(|(word, _)| *word == chosen);
        meant.map(|(_, value)| *value).ok_or("no such word")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_what_is_asked_for() {
        let summary = |text: &str| {
            super::summary(&timeball_config::parse("t.toml", text, Dialect::Native).unwrap().config)
        };
        assert_eq!(
            summary("[[server]]\naddress = '192.0.2.1'\n"),
            "1 server; corrects the clock; serves nobody"
        );
        let text = "[[server]]\naddress = 'a.example'\n[[server]]\naddress = 'b.example'\n\
                    [[pool]]\naddress = 'pool.example'\n[clock]\ncontrol = false\n\
                    [serve]\nport = 1123\nallow = ['192.0.2.0/24', '2001:db8::/32']\n";
        assert_eq!(
            summary(text),
            "2 servers, 1 pool; watches the clock; serves 2 networks on port 1123"
        );
    }
}
