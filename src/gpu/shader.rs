//! Kernel sources: one WGSL file, shared fragments before it, and text constants.

/// Text constants of one variant of a kernel, for example `[("WG", 64)]`.
pub type Constants = Vec<(&'static str, u32)>;

/// A compute kernel: `shaders/NAME.wgsl` with entry point `main`, uniform `params` at binding 0 and
/// storage buffers at bindings 1, 2, … in the order the host passes them.
pub struct Kernel {
    pub name: &'static str,
    pub source: &'static str,
    /// Names of the fragments of `shaders/shared/` it uses.
    pub shared: &'static [&'static str],
    /// Size in bytes of its `Params`; checked against naga's layout in a test.
    pub params_bytes: usize,
    /// Representative sets of constants: every one is translated and validated in the tests.
    pub variants: &'static [&'static [(&'static str, u32)]],
}

/// The fragments of `shaders/shared/`, by name.
pub const SHARED: &[(&str, &str)] = &[
    ("flow_params", include_str!("../../shaders/shared/flow_params.wgsl")),
    ("flow_wave", include_str!("../../shaders/shared/flow_wave.wgsl")),
    ("grid", include_str!("../../shaders/shared/grid.wgsl")),
    ("logarithm", include_str!("../../shaders/shared/logarithm.wgsl")),
    ("double_single", include_str!("../../shaders/shared/double_single.wgsl")),
    ("solver_state", include_str!("../../shaders/shared/solver_state.wgsl")),
    ("philox", include_str!("../../shaders/shared/philox.wgsl")),
    ("softplus_jet", include_str!("../../shaders/shared/softplus_jet.wgsl")),
    ("special", include_str!("../../shaders/shared/special.wgsl")),
];

impl Kernel {
    /// Complete WGSL text for the given constants.
    pub fn wgsl(&self, constants: &[(&'static str, u32)]) -> String {
        let mut text = String::new();
        for (name, value) in constants {
            text.push_str(&format!("const {name}: u32 = {value}u;\n"));
        }
        for part in self.shared {
            let (_, source) = SHARED
                .iter()
                .find(|(name, _)| name == part)
                .unwrap_or_else(|| panic!("shaders/shared/{part}.wgsl is not registered in gpu/shader.rs"));
            text.push_str(source);
        }
        text.push_str(self.source);
        text
    }
}
