//! How sources with NTS are authenticated.

use super::super::draft::Draft;
use super::Directive;
use crate::config::TrustedCertificates;

pub(super) const DIRECTIVES: &[Directive<Draft>] = &[
    Directive::honoured(
        "ntsrefresh",
        "Keys of NTS that are older (s) are used no more, and replaced.",
        |draft, arguments| {
            let seconds = arguments.integer("the time (s)", 1..=i64::from(i32::MAX))?;
            draft.config.engine.nts.refresh = seconds as f64;
            Ok(())
        },
    ),
    Directive::honoured(
        "ntstrustedcerts",
        "A file or a directory of trusted certificates, in a set; without a number in set 0, to which \
         the system's belong.",
        |draft, arguments| {
            let set = match arguments.count() {
                0 | 1 => 0,
                _ => arguments.integer("the number of the set", 0..=i64::from(u32::MAX))?,
            };
            let path = arguments.path("the file or directory")?;
            let set = u32::try_from(set).unwrap_or_default();
            draft.config.nts.trusted.push(TrustedCertificates { set, path });
            Ok(())
        },
    ),
    Directive::honoured(
        "nosystemcert",
        "The system's certificates are not trusted.",
        |draft, _| {
            draft.config.nts.system_certificates = false;
            Ok(())
        },
    ),
    Directive::honoured(
        "nocerttimecheck",
        "Certificates may be out of date until the clock was updated so often, and those that have \
         expired for good are accepted then, too.",
        |draft, arguments| {
            let updates = arguments.integer("the number of updates", 0..=i64::from(i32::MAX))?;
            draft.config.nts.unchecked_updates = u32::try_from(updates).unwrap_or_default();
            draft.config.nts.bound_by_certificates = updates == 0;
            Ok(())
        },
    ),
];
