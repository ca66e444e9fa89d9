//! What the crowd tells: delays, and what the gateway costs.

/// Delays as a line: `p50 26.1 p90 46.0 p99 51.2 p99.9 53.0 max 54.9 ms (12345 samples)`.
pub fn figures(delays: &mut [i64]) -> String {
    delays.sort_unstable();
    let at = |thousandth: usize| {
        delays.get(delays.len().saturating_sub(1) * thousandth / 1_000).copied().unwrap_or(0)
    };
    let ms = |ns: i64| format!("{}.{}", ns / 1_000_000, ns.rem_euclid(1_000_000) / 100_000);
    format!(
        "p50 {} p90 {} p99 {} p99.9 {} max {} ms ({} samples)",
        ms(at(500)),
        ms(at(900)),
        ms(at(990)),
        ms(at(999)),
        ms(at(1_000)),
        delays.len()
    )
}

/// Resident memory of a process, now and at its peak.
pub fn memory(pid: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let lines = status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(", ")
}

/// Processor time of a process, in hundredths of a second.
pub fn ticks(pid: &str) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|place| fields.get(*place)?.parse::<u64>().ok()).sum()
}

/// The load of the machine over the last minute, as the kernel tells it.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
