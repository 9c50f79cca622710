//! Lists of variables: `version="ntpd 4", leap=0, …` (RFC 9327 §3, "comma-delimited text").

/// A variable: a name and, unless only its name was given, a value without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// Its name; bytes, because nobody has checked them.
    pub name: &'a [u8],
    /// Its value; what stands between quotes has lost them, and nothing else.
    pub value: Option<&'a [u8]>,
}

/// The variables in the data of a control message. Takes whatever comes: quotes that are never
/// closed go to the end, empty entries are passed over.
#[derive(Clone, Debug)]
pub struct Variables<'a>(&'a [u8]);

impl<'a> Variables<'a> {
    /// The variables in these data.
    pub const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The value of the first variable with this name.
    pub fn value(data: &'a [u8], name: &str) -> Option<&'a [u8]> {
        Self::new(data).find(|variable| variable.name == name.as_bytes())?.value
    }
}

impl<'a> Iterator for Variables<'a> {
    type Item = Variable<'a>;

    fn next(&mut self) -> Option<Variable<'a>> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let (entry, rest) = split_entry(self.0);
            self.0 = rest;
            if !entry.is_empty() {
                return Some(variable(entry));
            }
        }
    }
}

/// What stands before the first comma outside of quotes, trimmed, and what stands behind it.
fn split_entry(text: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let comma = text.iter().position(|&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    let (entry, rest) = text.split_at(comma.unwrap_or(text.len()));
    (trim(entry), rest.get(1..).unwrap_or_default())
}

fn variable(entry: &[u8]) -> Variable<'_> {
    let Some(at) = entry.iter().position(|&byte| byte == b'=') else {
        return Variable { name: entry, value: None };
    };
    let (name, value) = entry.split_at(at);
    let value = trim(value.get(1..).unwrap_or_default());
    Variable { name: trim(name), value: Some(unquoted(value)) }
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'"', inner @ ..] => inner,
        value => value,
    }
}

/// Without spaces, line ends and zeros at both ends.
fn trim(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let Some(start) = text.iter().position(|byte| !is_blank(byte)) else { return &[] };
    let end = text.iter().rposition(|byte| !is_blank(byte)).unwrap_or(start);
    text.get(start..=end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, Option<&str>)> {
        let text_of = |bytes| core::str::from_utf8(bytes).unwrap();
        Variables::new(text.as_bytes())
            .map(|variable| (text_of(variable.name), variable.value.map(text_of)))
            .collect()
    }

    #[test]
    fn what_ntpd_sends() {
        let text = "version=\"ntpd ntpsec-1.2.2, built\", leap=0,\r\nrefid=GPS, peer=0,\
                    filtdelay= 0.10 0.20,\r\n";
        let expected = [
            ("version", Some("ntpd ntpsec-1.2.2, built")),
            ("leap", Some("0")),
            ("refid", Some("GPS")),
            ("peer", Some("0")),
            ("filtdelay", Some("0.10 0.20")),
        ];
        assert_eq!(read(text), expected);
        assert_eq!(Variables::value(text.as_bytes(), "refid"), Some(&b"GPS"[..]));
        assert_eq!(Variables::value(text.as_bytes(), "gps"), None);
    }

    #[test]
    fn what_nobody_should_send() {
        assert_eq!(read(""), []);
        assert_eq!(read(",,, ,\0,"), []);
        assert_eq!(read("a,b = ,=c"), [("a", None), ("b", Some("")), ("", Some("c"))]);
        assert_eq!(read("a=\"b,c"), [("a", Some("b,c"))]);
        assert_eq!(read("a=\""), [("a", Some(""))]);
        assert_eq!(read("a=b=c"), [("a", Some("b=c"))]);
    }
}
