//! What an adapter offers, in plain words and numbers.

use serde::Serialize;

use super::{Gpu, Listed, Profile};

/// One adapter as `helmholtz devices` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    /// Selects it, as text.
    pub index: usize,
    /// As the driver says.
    pub name: String,
    /// Vulkan, Metal or DX12, in lower case.
    pub backend: String,
    /// discrete, integrated, virtual, cpu or other.
    pub kind: &'static str,
    /// Name and version.
    pub driver: String,
    /// How kernels are laid out.
    pub profile: &'static str,
    /// Largest storage buffer a kernel can bind.
    pub storage_binding_bytes: u64,
    /// Largest buffer.
    pub buffer_bytes: u64,
    /// Memory of the device, where its driver tells; on CPU drivers what the system has free.
    pub memory_bytes: Option<u64>,
    /// Memory of a workgroup.
    pub workgroup_memory_bytes: u32,
    /// Most threads of a workgroup.
    pub workgroup_invocations: u32,
    /// Most storage buffers of a kernel.
    pub storage_buffers: u32,
    /// Optional features the library uses where they are offered.
    pub features: Vec<&'static str>,
    /// The text to paste after `helmholtz train …`.
    pub select: String,
}

impl Listed {
    /// Everything a user may want to know before choosing it.
    pub fn facts(&self) -> Facts {
        let limits = self.adapter.limits();
        let offered = self.adapter.features();
        let known = [
            (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
            (wgpu::Features::PIPELINE_CACHE, "pipeline cache"),
            (wgpu::Features::SUBGROUP, "subgroups"),
            (wgpu::Features::SHADER_F16, "f16"),
            (wgpu::Features::SHADER_F64, "f64"),
        ];
        let driver = [self.info.driver.as_str(), self.info.driver_info.as_str()];
        Facts {
            index: self.index,
            name: self.info.name.clone(),
            backend: self.backend(),
            kind: self.kind(),
            driver: driver.iter().filter(|s| !s.is_empty()).copied().collect::<Vec<_>>().join(", "),
            profile: Profile::of(&self.info).unwrap_or(Profile::by_kind(&self.info)).name(),
            storage_binding_bytes: limits.max_storage_buffer_binding_size,
            buffer_bytes: limits.max_buffer_size,
            memory_bytes: super::memory::total(&self.adapter),
            workgroup_memory_bytes: limits.max_compute_workgroup_storage_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
            features: known.iter().filter(|(f, _)| offered.contains(*f)).map(|(_, name)| *name).collect(),
            select: format!("--device {}", self.selector()),
        }
    }
}

impl Gpu {
    /// What a run's manifest says of its device.
    pub fn manifest(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.info.name,
            "backend": format!("{:?}", self.info.backend),
            "kind": format!("{:?}", self.info.device_type),
            "driver": self.info.driver,
            "driver_info": self.info.driver_info,
            "profile": self.profile.name(),
            "checked": self.checked,
            "storage_binding_bytes": self.limits.max_storage_buffer_binding_size,
            "buffer_bytes": self.limits.max_buffer_size,
        })
    }
}
