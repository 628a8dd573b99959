//! What a kernel's text declares, against what its host side states: in checked mode.

use super::launch::{Access, Dispatch};

/// Sizes and accesses of a kernel's bindings.
pub(super) struct Declared {
    /// Bytes of the uniform at binding 0.
    params: usize,
    /// Whether bindings 1, 2, … can be written.
    writable: Vec<bool>,
    /// Invocations of a workgroup.
    pub threads: u32,
}

impl Declared {
    /// Of a WGSL text; nothing where it does not parse, which the driver's compiler says better.
    pub(super) fn of(text: &str) -> Option<Declared> {
        let module = naga::front::wgsl::parse_str(text).ok()?;
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).ok()?;
        let (mut params, mut writable) = (0, Vec::new());
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = variable.binding.as_ref().filter(|binding| binding.group == 0) else { continue };
            match binding.binding {
                0 => params = layouter[variable.ty].size as usize,
                place => {
                    let can =
                        matches!(variable.space, naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE));
                    let place = place as usize;
                    writable.resize(place.max(writable.len()), false);
                    writable[place - 1] = can;
                }
            }
        }
        let threads = module.entry_points.first()?.workgroup_size.iter().product();
        Some(Declared { params, writable, threads })
    }

    /// What the launch states otherwise than its kernel, in words.
    pub(super) fn difference(&self, d: &Dispatch) -> Option<String> {
        let stated: Vec<bool> = d.bindings.iter().map(|b| b.access != Access::Read).collect();
        if d.params.len() != self.params {
            return Some(format!(
                "kernel {} ({}): Params of {} bytes, its text has {}",
                d.kernel.name,
                d.name,
                d.params.len(),
                self.params
            ));
        }
        if stated != self.writable {
            return Some(format!("kernel {} ({}): bindings written {stated:?}, its text has {:?}", d.kernel.name, d.name, self.writable));
        }
        None
    }
}
