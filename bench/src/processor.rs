//! What a process has had of the processor.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

/// Time (s) that a process and its children have run, in the kernel and outside.
pub(crate) fn time(process: u32) -> f64 {
    let tick = sysconf(SysconfVar::CLK_TCK).ok().flatten().expect("the kernel counts in ticks");
    let ticks: u64 = family(process).into_iter().map(ticks).sum();
    ticks as f64 / tick as f64
}

/// The process and its children, which chronyd has for key establishment.
fn family(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("read a folder");
    let mut all = vec![process];
    for task in tasks {
        let children = task.expect("an entry").path().join("children");
        let children = fs::read_to_string(children).expect("the kernel tells children");
        all.extend(
            children.split_whitespace().map(|child| child.parse::<u32>().expect("a number")),
        );
    }
    all
}

/// proc_pid_stat(5): fields 14 and 15, counted from behind the name, which may have anything in it.
fn ticks(process: u32) -> u64 {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).expect("read a file");
    let (_, fields) = line.rsplit_once(')').expect("a name");
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|time| time.parse::<u64>().expect("a number")).sum()
}
