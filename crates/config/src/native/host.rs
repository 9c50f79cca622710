//! Host names and literal addresses, as `address` of a source takes them.

use std::net::IpAddr;

/// Longest host name (RFC 1035 §2.3.4, without the root's dot).
const LONGEST_NAME: usize = 253;
/// Longest label of it.
const LONGEST_LABEL: usize = 63;

/// Why a text is no host, and what to write instead.
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Accepts a literal unicast address or a host name.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    match text.parse::<IpAddr>() {
        Ok(address) => unicast(address),
        Err(_) => not_more_than_a_host(text).and_then(|()| host_name(text)),
    }
}

/// Accepts an address that a server or an interface can have.
pub(super) fn unicast(address: IpAddr) -> Result<(), Problem> {
    if address.is_unspecified() {
        return Err(Problem::new(format!("`{address}` is the address of no machine")));
    }
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if address.is_multicast() || broadcast {
        let problem = Problem::new(format!("`{address}` is a group, not one machine"));
        return Err(
            problem.help("to send to a group, use [[serve.broadcast]]; groups are not listened to")
        );
    }
    Ok(())
}

/// Recognises what people write around a host, and says what to write instead.
fn not_more_than_a_host(text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new("the name is empty"));
    }
    if let Some((_, after)) = text.split_once("://") {
        let host = after.split(['/', ':']).next().unwrap_or_default();
        let problem = Problem::new("this is a URL");
        return Err(if host.is_empty() {
            problem
        } else {
            problem.help(format!("write only the host: \"{host}\""))
        });
    }
    if let Some((inside, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let problem = Problem::new("an IPv6 address is written without brackets");
        let help = match after.strip_prefix(':') {
            Some(port) => format!("write address = \"{inside}\" and port = {port}"),
            None => format!("write \"{inside}\""),
        };
        return Err(problem.help(help));
    }
    if let Some((address, zone)) = text.split_once('%') {
        let problem = Problem::new("an address has no zone here");
        return Err(
            problem.help(format!("write address = \"{address}\" and bind-device = \"{zone}\""))
        );
    }
    if let Some((host, port)) = text.split_once(':') {
        if port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() {
            let problem = Problem::new("the port has a key of its own");
            return Err(problem.help(format!("write address = \"{host}\" and port = {port}")));
        }
        return Err(Problem::new(format!("`{text}` is neither an IPv6 address nor a name")));
    }
    Ok(())
}

fn host_name(text: &str) -> Result<(), Problem> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if let Some(bad) =
        name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    {
        let problem = Problem::new(format!("a host name cannot contain `{}`", bad.escape_debug()));
        return Err(match bad {
            bad if bad.is_whitespace() => problem.help("give every server a [[server]] of its own"),
            bad if !bad.is_ascii() => {
                problem.help("write the name as the DNS has it, in Punycode: xn--…")
            }
            _ => problem,
        });
    }
    if name.len() > LONGEST_NAME {
        return Err(Problem::new(format!(
            "the name has {} characters, the DNS allows {LONGEST_NAME}",
            name.len()
        )));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(Problem::new("there is an empty label between the dots"));
        }
        if label.len() > LONGEST_LABEL {
            return Err(Problem::new(format!(
                "the label `{label}` has {} characters, the DNS allows {LONGEST_LABEL}",
                label.len()
            )));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(Problem::new(format!("the label `{label}` begins or ends with a hyphen")));
        }
    }
    // No top-level domain is a number, so this was meant to be an IPv4 address.
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::new(format!("`{text}` is not a valid IPv4 address"))
            .help("four numbers from 0 to 255 without leading zeros"));
    }
    Ok(())
}
