//! What a process has had of the processor.

use std::fs;
use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// Time (s) that a process and its children have run, in the kernel and outside.
pub(crate) fn time(process: u32) -> f64 {
    family(process).into_iter().map(ran).sum::<Duration>().as_secs_f64()
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

/// The clock of a process counts nanoseconds; the ticks that proc(5) tells of are far too coarse.
fn ran(process: u32) -> Duration {
    let process = Pid::from_raw(process.try_into().expect("a number of a process"));
    let clock = clock_getcpuclockid(process).expect("a process that runs has a clock");
    clock.now().expect("its clock can be read").into()
}
