//! What is told.

use serde::{Deserialize, Serialize};

use super::standing::Time;

/// Why it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// It is no longer as expected, or was not from the start.
    Violated,
    /// It is otherwise than before, and still not as expected.
    Changed,
    /// It is still not as expected.
    Reminder,
    /// It is as expected again.
    Recovered,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Violated, Self::Changed, Self::Reminder, Self::Recovered];

    /// Its name, as it is in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Violated => "violated",
            Self::Changed => "changed",
            Self::Reminder => "reminder",
            Self::Recovered => "recovered",
        }
    }
}

/// One message about one subject, as it is in JSON: keys are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Why it is told.
    pub event: Event,
    /// About what.
    pub endpoint: String,
    /// How it should be.
    pub expected: String,
    /// How it is.
    pub condition: String,
    /// How it was before, if that is known.
    pub was: Option<String>,
    /// The same with the figures of the last look, for people.
    pub detail: String,
    /// When it was first seen so.
    pub since: Time,
    /// When this was told.
    pub at: Time,
    /// Who listens, for a port of this host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerSeen>,
}

impl Alert {
    /// One line for people.
    pub fn sentence(&self) -> String {
        let Self { endpoint, expected, condition, detail, since, .. } = self;
        match self.event {
            Event::Violated | Event::Changed => {
                format!("{endpoint} is {condition}, expected {expected} ({detail})")
            }
            Event::Reminder => {
                format!(
                    "{endpoint} is still {condition}, expected {expected}, since {since} ({detail})"
                )
            }
            Event::Recovered => format!("{endpoint} is as expected again: {condition} ({detail})"),
        }
    }
}

/// Something that listens at a port of this host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerSeen {
    /// Where.
    pub address: std::net::SocketAddr,
    /// The name of its process, unless that is hidden from this user.
    pub process: Option<String>,
    /// The number of its process.
    pub pid: Option<u32>,
    /// When the watch has first seen it.
    pub first_seen: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for event in Event::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.name());
        }
    }

    #[test]
    fn an_alert_is_one_line_of_json_and_reads_back() {
        let alert = Alert {
            event: Event::Violated,
            endpoint: "udp:h:123".into(),
            expected: "closed".into(),
            condition: "open".into(),
            was: None,
            detail: "something\nanswers".into(),
            since: Time::UNIX_EPOCH,
            at: Time::UNIX_EPOCH,
            listeners: Vec::new(),
        };
        let json = serde_json::to_string(&alert).unwrap();
        assert_eq!(
            json,
            r#"{"event":"violated","endpoint":"udp:h:123","expected":"closed","condition":"open","was":null,"detail":"something\nanswers","since":"1970-01-01T00:00:00Z","at":"1970-01-01T00:00:00Z"}"#
        );
        assert_eq!(serde_json::from_str::<Alert>(&json).unwrap(), alert);
        assert_eq!(alert.sentence(), "udp:h:123 is open, expected closed (something\nanswers)");
    }
}
