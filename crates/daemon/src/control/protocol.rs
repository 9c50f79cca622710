//! What is said on the control socket: one JSON object per line, each way.
//!
//! ```text
//! → {"command":"status"}
//! ← {"ok":{"synchronised":true,"reason":"…", …, "sources":[…]}}
//! → {"command":"step"}
//! ← {"ok":"the clock is stepped"}
//! → {"command":"dance"}
//! ← {"error":"…"}
//! ```
//!
//! A connection may ask any number of requests, one after the other.

use serde::{Deserialize, Serialize};
use timeball_core::report::Report;

/// The longest request line in bytes, its end included.
pub const MAX_REQUEST: usize = 4096;

/// What may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// The clock, what it follows, and who was served; answered with a [`Report`].
    Status,
    /// Every source; answered with the same [`Report`].
    Sources,
    /// Step the clock now, whatever the step policy says; also ends a panic.
    Step,
    /// Send a volley of requests to every source.
    Burst,
    /// Resolve all names anew.
    Refresh,
    /// Read the configuration file again.
    Reload,
}

/// A request as it stands on its line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    command: Request,
}

/// How it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Gladly.
    Ok(Answer),
    /// Not, and why.
    Error(String),
}

/// The content of a good answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// What was done, in words.
    Done(String),
    /// Everything a person may ask.
    Report(Box<Report>),
}

impl Request {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it, in words for whoever wrote it.
    pub fn from_line(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map(|Line { command }| command).map_err(|error| {
            format!(
                "not a request: {error}; a request is one line such as {{\"command\":\"status\"}}"
            )
        })
    }

    /// The request as sent, its line end included.
    pub fn to_line(self) -> Vec<u8> {
        to_line(&Line { command: self })
    }
}

impl Response {
    /// Something was done.
    pub fn done(what: impl Into<String>) -> Self {
        Self::Ok(Answer::Done(what.into()))
    }

    /// A report.
    pub fn report(report: Report) -> Self {
        Self::Ok(Answer::Report(Box::new(report)))
    }

    /// The response as sent, its line end included.
    pub fn to_line(&self) -> Vec<u8> {
        to_line(self)
    }
}

/// JSON writes line ends within strings as `\n`, so the only one is ours.
fn to_line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).unwrap_or_else(|error| {
        serde_json::json!({ "error": format!("the answer cannot be written: {error}") })
            .to_string()
            .into_bytes()
    });
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_look_as_documented() {
        for (request, line) in [
            (Request::Status, "{\"command\":\"status\"}\n"),
            (Request::Sources, "{\"command\":\"sources\"}\n"),
            (Request::Step, "{\"command\":\"step\"}\n"),
            (Request::Burst, "{\"command\":\"burst\"}\n"),
            (Request::Refresh, "{\"command\":\"refresh\"}\n"),
            (Request::Reload, "{\"command\":\"reload\"}\n"),
        ] {
            assert_eq!(request.to_line(), line.as_bytes());
            assert_eq!(Request::from_line(line.as_bytes()), Ok(request));
        }
    }

    #[test]
    fn what_is_no_request_is_explained() {
        for line in [
            "",
            "\n",
            "status",
            "{\"command\":\"dance\"}",
            "{\"command\":\"status\",\"verbose\":true}",
            "[1]",
            "\u{0}",
        ] {
            let error = Request::from_line(line.as_bytes()).unwrap_err();
            assert!(error.starts_with("not a request: "), "{line:?}: {error}");
            assert!(error.contains("{\"command\":\"status\"}"), "{line:?}: {error}");
        }
        assert!(Request::from_line(b"{\"command\":\"\xff\"}").is_err());
        assert!(
            Request::from_line(b"{\"command\":\"dance\"}").unwrap_err().contains("`status`"),
            "the known commands are listed"
        );
    }

    #[test]
    fn answers_come_back_as_they_were() {
        let responses = [
            Response::done("two\nlines"),
            Response::Error("why not".into()),
            Response::report(Report::default()),
        ];
        for response in responses {
            let line = response.to_line();
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(serde_json::from_slice::<Response>(&line).unwrap(), response);
        }
        assert_eq!(Response::Error("no".into()).to_line(), b"{\"error\":\"no\"}\n");
        assert!(Response::report(Report::default()).to_line().starts_with(b"{\"ok\":{\"sync"));
    }
}
