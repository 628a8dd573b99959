//! Which device runs the kernels: listed, and chosen by index, name, back end or kind.

use crate::error::{Error, Result};

/// How kernels are laid out: wide registers and few threads a matrix for CPU drivers, one workgroup
/// a matrix for real GPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Profile {
    /// CPU drivers: an invocation is a SIMD lane, loads are what costs.
    Simd,
    /// GPUs: many invocations, short registers.
    Gpu,
}

impl Profile {
    /// By the adapter's kind; `HELMHOLTZ_PROFILE=simd|gpu` overrides.
    pub fn of(info: &wgpu::AdapterInfo) -> Result<Profile> {
        match variable("HELMHOLTZ_PROFILE").as_deref() {
            Some("simd") => Ok(Profile::Simd),
            Some("gpu") => Ok(Profile::Gpu),
            Some(other) => Err(Error::User(format!("HELMHOLTZ_PROFILE={other}: unknown profile; use simd or gpu"))),
            None => Ok(Profile::by_kind(info)),
        }
    }

    /// By the adapter's kind alone.
    pub fn by_kind(info: &wgpu::AdapterInfo) -> Profile {
        if info.device_type == wgpu::DeviceType::Cpu { Profile::Simd } else { Profile::Gpu }
    }

    /// As in `HELMHOLTZ_PROFILE`.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Simd => "simd",
            Profile::Gpu => "gpu",
        }
    }
}

/// An environment variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).filter(|v| !v.is_empty()).map(|v| v.to_string_lossy().into_owned())
}

/// One adapter as `helmholtz devices` shows it.
pub struct Listed {
    /// Selects it, as text.
    pub index: usize,
    /// wgpu's own.
    pub adapter: wgpu::Adapter,
    /// Name, driver, kind.
    pub info: wgpu::AdapterInfo,
}

impl Listed {
    /// Vulkan, Metal or DX12, in lower case.
    pub fn backend(&self) -> String {
        format!("{:?}", self.info.backend).to_lowercase()
    }

    /// Discrete, integrated or virtual GPU, or CPU.
    pub fn kind(&self) -> &'static str {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "cpu",
            wgpu::DeviceType::Other => "other",
        }
    }

    fn rank(&self) -> u8 {
        match self.info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        }
    }

    /// What `--device` takes to choose this adapter and no other.
    pub fn selector(&self) -> String {
        self.index.to_string()
    }
}

/// All adapters of all back ends, in a stable order.
pub fn list() -> Vec<Listed> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    // the drivers' own chatter on stderr is of no use to a physicist
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()))
        .into_iter()
        .enumerate()
        .map(|(index, adapter)| {
            let info = adapter.get_info();
            Listed { index, adapter, info }
        })
        .collect()
}

/// The adapter that `selector` names: an index, a kind (`gpu`, `cpu`, `discrete`, `integrated`), a
/// back end (`vulkan`, `metal`, `dx12`) or part of the name; without one, the best GPU found and a
/// CPU driver only where there is no GPU. `HELMHOLTZ_DEVICE` names it where `selector` does not.
pub fn choose(selector: Option<&str>) -> Result<Listed> {
    let mut all = list();
    if all.is_empty() {
        return Err(Error::Device(
            "no GPU adapter found: install the graphics driver, or the software one (Debian/Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1; Fedora: dnf install mesa-vulkan-drivers)".into(),
        ));
    }
    all.sort_by_key(|a| (a.rank(), a.index));
    let (text, source) = match (selector, variable("HELMHOLTZ_DEVICE")) {
        (Some(text), _) => (text.to_string(), "--device "),
        (None, Some(text)) => (text, "HELMHOLTZ_DEVICE="),
        (None, None) => return Ok(all.remove(0)),
    };
    let want = text.to_lowercase();
    let names: Vec<String> = all.iter().map(|a| format!("{} = {} ({}, {})", a.index, a.info.name, a.backend(), a.kind())).collect();
    let found = all.into_iter().find(|a| match want.parse::<usize>() {
        Ok(index) => a.index == index,
        Err(_) => {
            want == a.kind() || want == a.backend() || (want == "gpu" && a.kind() != "cpu") || a.info.name.to_lowercase().contains(&want)
        }
    });
    found.ok_or_else(|| Error::Device(format!("no adapter matches {source}{text}; there are: {}", names.join(", "))))
}
