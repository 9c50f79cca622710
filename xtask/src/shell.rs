//! Running programs one after another, saying which, and stopping at the first that fails.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing, or why the run stopped.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why the run stopped, for a person.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

impl From<&str> for Failure {
    fn from(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

/// Steps in order, each with a heading.
#[derive(Default)]
pub(crate) struct Plan {
    steps: Vec<Step>,
}

struct Step {
    heading: &'static str,
    action: Box<dyn FnOnce() -> Outcome>,
}

impl Plan {
    /// Adds one step.
    pub(crate) fn step(
        mut self,
        heading: &'static str,
        action: impl FnOnce() -> Outcome + 'static,
    ) -> Self {
        self.steps.push(Step { heading, action: Box::new(action) });
        self
    }

    /// Adds the steps of another plan.
    pub(crate) fn then(mut self, mut other: Self) -> Self {
        self.steps.append(&mut other.steps);
        self
    }

    /// Runs the steps; the first failure ends the run and names its step.
    pub(crate) fn run(self) -> Outcome {
        let total = self.steps.len();
        let mut times = Vec::with_capacity(total);
        for (number, step) in self.steps.into_iter().enumerate() {
            println!("\n━━ {}/{total} {}", number + 1, step.heading);
            let start = Instant::now();
            (step.action)().map_err(|failure| {
                Failure(format!("step \"{}\" failed: {failure}", step.heading))
            })?;
            times.push((step.heading, start.elapsed()));
        }
        print_times(&times);
        Ok(())
    }
}

fn print_times(times: &[(&str, Duration)]) {
    println!("\n━━ all {} steps passed", times.len());
    for (heading, time) in times {
        println!("{:>6.0} s  {heading}", time.as_secs_f64());
    }
}

/// A program to run from the root of the workspace.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs to the end, showing what it prints.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("$ {}", shown(command));
    let status = command
        .status()
        .map_err(|error| Failure(format!("cannot start `{}`: {error}", shown(command))))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure(format!("`{}` ended with {status}", shown(command))))
}

/// Runs to the end and returns what it prints; its complaints are part of the failure.
pub(crate) fn output_of(command: &mut Command) -> Outcome<String> {
    let output = command
        .output()
        .map_err(|error| Failure(format!("cannot start `{}`: {error}", shown(command))))?;
    if !output.status.success() {
        return Err(Failure(format!(
            "`{}` ended with {}: {}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// True if the program can be started and ends well.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// True if this process may install packages and make network namespaces.
pub(crate) fn is_root() -> bool {
    output_of(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
