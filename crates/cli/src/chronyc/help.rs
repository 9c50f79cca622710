//! `help`: what commands there are.

/// A heading, and commands with what they do.
type Chapter = (&'static str, &'static [(&'static str, &'static str)]);

const CHAPTERS: [Chapter; 9] = [
    (
        "System clock",
        &[
            ("tracking", "How the clock is doing"),
            ("makestep", "Step the clock now"),
            ("makestep SECONDS UPDATES", "Step larger offsets during so many updates"),
            ("maxupdateskew PPM", "Use no frequency that is less certain"),
            ("waitsync [TRIES [SECONDS [PPM [INTERVAL]]]]", "Wait until the clock is synchronised"),
        ],
    ),
    (
        "Sources",
        &[
            ("sources [-a] [-v]", "The sources and their last measurements"),
            ("sourcestats [-a] [-v]", "What their measurements amount to"),
            ("selectdata [-a] [-v]", "How they fare in selection"),
            ("selectopts SOURCE +OPTION|-OPTION...", "Change how a source is selected"),
            ("reselect", "Select anew"),
            ("reselectdist SECONDS", "How much nearer a source must be to take over"),
            ("offset SOURCE SECONDS", "Correct the offset of a source"),
        ],
    ),
    (
        "NTP sources",
        &[
            ("activity", "How many are online"),
            ("authdata [-a] [-v]", "How they are authenticated"),
            ("ntpdata [ADDRESS]", "Their last valid measurement"),
            ("sourcename ADDRESS", "The name in the configuration"),
            ("add server|peer|pool NAME [OPTION...]", "Add one"),
            ("delete ADDRESS", "Remove one"),
            ("burst GOOD/MAX [[MASK/]ADDRESS]", "Measure quickly"),
            ("online [[MASK/]ADDRESS]", "Ask them again"),
            ("offline [[MASK/]ADDRESS]", "Ask them no more"),
            ("onoffline", "Ask those that the network reaches"),
            ("maxdelay ADDRESS SECONDS", "Longest delay of a measurement"),
            ("maxdelayratio ADDRESS RATIO", "The same, as a multiple of the shortest"),
            ("maxdelaydevratio ADDRESS RATIO", "The same, as a multiple of the deviation"),
            ("minpoll ADDRESS LOG2", "Shortest poll interval"),
            ("maxpoll ADDRESS LOG2", "Longest poll interval"),
            ("minstratum ADDRESS STRATUM", "Lowest stratum"),
            ("polltarget ADDRESS COUNT", "Measurements to keep in use"),
            ("refresh", "Resolve names again"),
            ("reload sources", "Read *.sources files again"),
            ("reset sources", "Forget all measurements"),
        ],
    ),
    (
        "Time by hand",
        &[
            ("manual on|off|reset", "Accept settime, or not; forget the entries"),
            ("manual list", "The times that were entered"),
            ("manual delete INDEX", "Forget one of them"),
            ("settime TIME", "Enter the time, such as 16:30:05 or Sep 25, 2026 16:30:05"),
        ],
    ),
    (
        "Serving time",
        &[
            ("accheck ADDRESS", "Would it be served?"),
            ("clients [-p COUNT] [-k] [-r]", "Who asked"),
            ("serverstats", "How much was asked"),
            ("allow [all] [NETWORK]", "Serve a network"),
            ("deny [all] [NETWORK]", "Do not serve a network"),
            ("local [OPTION...]|off", "Serve the time of the local clock, or do not"),
            ("smoothtime activate|reset", "Smooth the time that is served"),
            ("smoothing", "How it is smoothed now"),
        ],
    ),
    (
        "Commands from elsewhere",
        &[
            ("cmdaccheck ADDRESS", "Would it be answered?"),
            ("cmdallow [all] [NETWORK]", "Answer a network"),
            ("cmddeny [all] [NETWORK]", "Do not answer a network"),
        ],
    ),
    (
        "Real-time clock",
        &[
            ("rtcdata", "How it is doing"),
            ("trimrtc", "Set it right"),
            ("writertc", "Write what is known of it to its file"),
        ],
    ),
    (
        "Daemon",
        &[
            ("cyclelogs", "Close the logs and open them again"),
            ("dump", "Write measurements to their files"),
            ("rekey", "Read keys again"),
            ("shutdown", "End"),
        ],
    ),
    (
        "Here",
        &[
            ("dns -n|+n", "Print addresses, or host names"),
            ("dns -4|-6|-46", "Look up addresses of these families"),
            ("timeout MILLISECONDS", "How long an answer is waited for"),
            ("retries COUNT", "How often a request is repeated"),
            ("keygen [ID [TYPE [BITS]]]", "Make a line for a key file"),
            ("help", "This"),
            ("exit", "Leave"),
            ("quit", "Leave"),
        ],
    ),
];

const COLUMN: usize = 38;

/// All of it, with a line end.
pub(super) fn text() -> String {
    let mut text = String::new();
    for (heading, commands) in CHAPTERS {
        text.push_str(&format!("{heading}:\n"));
        for (command, meaning) in commands {
            let gap = if command.len() < COLUMN { "" } else { "\n" };
            let width = if gap.is_empty() { COLUMN - command.len() } else { COLUMN };
            text.push_str(&format!("{command}{gap}{:width$}{meaning}\n", ""));
        }
        text.push('\n');
    }
    text
}

/// The first words of all commands, some of them more than once.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let commands = CHAPTERS.iter().flat_map(|(_, commands)| commands.iter());
    commands.filter_map(|(command, _)| command.split(' ').next())
}

#[cfg(test)]
mod tests {
    use timeball_host::resolver::AddressFamily;

    use super::*;
    use crate::chronyc::command::Command;
    use crate::chronyc::trouble::Trouble;

    #[test]
    fn every_command_that_is_offered_exists() {
        for name in names() {
            match Command::parse(name, AddressFamily::Any) {
                Err(Trouble::Usage(message)) => {
                    assert_ne!(message, "Unrecognized command", "{name}")
                }
                Err(other) => panic!("{name}: {other:?}"),
                Ok(_) => {}
            }
        }
    }

    #[test]
    fn lines_fit_a_terminal() {
        for line in text().lines() {
            assert!(line.len() <= 100, "{line}");
        }
    }
}
