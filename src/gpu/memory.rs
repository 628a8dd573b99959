//! How much memory a device has, as far as its driver tells.

use std::path::Path;

/// Bytes of the adapter's own memory: the device-local heaps of Vulkan, on CPU drivers what the
/// system and the process's control groups have free. `None` where the driver does not tell.
pub(super) fn total(adapter: &wgpu::Adapter) -> Option<u64> {
    // CPU drivers state a round number and take what the system gives
    let free = if adapter.get_info().device_type == wgpu::DeviceType::Cpu { free() } else { None };
    free.or_else(|| heaps(adapter))
}

#[cfg(any(target_os = "linux", target_os = "windows", target_os = "freebsd"))]
fn heaps(adapter: &wgpu::Adapter) -> Option<u64> {
    // SAFETY: the handles are read while the adapter lives; nothing is destroyed.
    let properties = unsafe {
        let raw = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let device = raw.raw_physical_device();
        raw.shared_instance().raw_instance().get_physical_device_memory_properties(device)
    };
    let heaps = &properties.memory_heaps[..properties.memory_heap_count as usize];
    // bit 0 of a heap's flags: DEVICE_LOCAL
    Some(heaps.iter().filter(|h| h.flags.as_raw() & 1 == 1).map(|h| h.size).sum())
}

#[cfg(not(any(target_os = "linux", target_os = "windows", target_os = "freebsd")))]
fn heaps(_adapter: &wgpu::Adapter) -> Option<u64> {
    None
}

/// Memory that the system can still give out, to this process and those it shares a limit with.
fn free() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    available().into_iter().chain(group_free(Path::new("/sys/fs/cgroup"), &groups)).min()
}

/// What the control groups of a process (`groups`: its `/proc/self/cgroup`) leave it: the limit of each group above it less
/// what the group uses and could not give back. Version 2 has one hierarchy, version 1 one for memory.
fn group_free(root: &Path, groups: &str) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (root, names) = match controllers {
            "" => (root.to_path_buf(), ["memory.max", "memory.current", "inactive_file"]),
            c if c.split(',').any(|c| c == "memory") => {
                (root.join("memory"), ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"])
            }
            _ => continue,
        };
        let below = Path::new(path.trim_start_matches('/'));
        // in a container the path may be that of the host, and the root the container's own group
        for group in below.ancestors().map(|p| root.join(p)) {
            let number = |name: &str| std::fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
            // "max" is no number: no limit
            let (Some(limit), Some(used)) = (number(names[0]), number(names[1])) else { continue };
            let stat = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
            let cached = stat.lines().find_map(|l| l.strip_prefix(names[2])?.trim().parse::<u64>().ok()).unwrap_or(0);
            let free = limit.saturating_sub(used.saturating_sub(cached));
            least = Some(least.map_or(free, |l: u64| l.min(free)));
        }
    }
    least
}

/// MemAvailable of the whole machine.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::group_free;

    #[test]
    fn control_groups_limit_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let free = |groups: &str| group_free(folder.path(), groups);
        assert_eq!(free("0::/job/step\n"), None);
        write("job/step/memory.max", "max\n");
        write("job/step/memory.current", "1000\n");
        assert_eq!(free("0::/job/step\n"), None);
        // a limit above; what is cached of files can be given back
        write("job/memory.max", "5000\n");
        write("job/memory.current", "2000\n");
        write("job/memory.stat", "anon 1500\ninactive_file 400\nactive_file 7\n");
        assert_eq!(free("0::/job/step\n"), Some(3400));
        write("job/step/memory.max", "1500\n");
        assert_eq!(free("0::/job/step\n"), Some(500));
        // version 1, in a container whose own group is the root of what it sees
        write("memory/memory.limit_in_bytes", "9000\n");
        write("memory/memory.usage_in_bytes", "10000\n");
        assert_eq!(free("11:cpu,cpuacct:/a\n9:memory:/docker/abc\n"), Some(0));
    }
}
