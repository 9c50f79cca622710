//! `activity`: how many sources are in which state.

use std::io::Write;

use timeball_wire::cmdmon::{Activity, Answer, Request};

use crate::chronyc::record::{Cell, Record};
use crate::chronyc::session::Session;
use crate::chronyc::trouble::{Outcome, Trouble};

pub(super) fn show<W: Write>(session: &mut Session<W>) -> Outcome {
    let Answer::Activity(activity) = session.fetch(&Request::Activity)? else {
        return Err(Trouble::BadReply);
    };
    session.output.words("200 OK\n")?;
    Ok(session.output.report(&record(activity))?)
}

fn record(activity: Activity) -> Record {
    let Activity { online, offline, burst_online, burst_offline, unresolved } = activity;
    Record::new()
        .value("online", online, Cell::plain(online))
        .words(" sources online\n")
        .value("offline", offline, Cell::plain(offline))
        .words(" sources offline\n")
        .value("burst_then_online", burst_online, Cell::plain(burst_online))
        .words(" sources doing burst (return to online)\n")
        .value("burst_then_offline", burst_offline, Cell::plain(burst_offline))
        .words(" sources doing burst (return to offline)\n")
        .value("unresolved", unresolved, Cell::plain(unresolved))
        .words(" sources with unknown address")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_keep_their_order() {
        let record = record(Activity {
            online: 5,
            offline: 4,
            burst_online: 3,
            burst_offline: 2,
            unresolved: 1,
        });
        assert_eq!(record.csv(), "5,4,3,2,1");
        insta::assert_snapshot!(record.text(), @r"
        5 sources online
        4 sources offline
        3 sources doing burst (return to online)
        2 sources doing burst (return to offline)
        1 sources with unknown address
        ");
    }
}
