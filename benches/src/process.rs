//! What this process has taken of the machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of all its threads, in the kernel too.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.try_into().expect("it is not negative")
}

/// From now on [`peak_kib`] tells of what comes, where the system can forget what was.
pub fn forget_peak() {
    // Linux: `man 5 proc_pid_clear_refs`. Elsewhere the peak is that of the whole life.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The greatest resident memory that it ever had, in KiB; 0 where the system does not tell.
pub fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
