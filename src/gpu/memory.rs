//! How much memory a device has, as far as its driver tells.

/// Bytes of the adapter's own memory: the device-local heaps of Vulkan, on CPU drivers what the
/// system has free. `None` where the driver does not tell.
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

/// Memory that the system can still give out.
fn free() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}
