//! Kernel sources: one WGSL file, shared fragments before it, text constants, and loops unrolled in the text.
//!
//! Registers need names, so loops over them are written out: the lines between `#for k in N` and `#end` are repeated
//! with `$k` replaced by 0, 1, … N-1. N is a text constant or a number, k one letter; loops nest.

/// Text constants of one variant of a kernel, for example `[("WG", 64)]`.
pub type Constants = Vec<(&'static str, u32)>;

/// A compute kernel: `shaders/NAME.wgsl` with entry point `main`, uniform `params` at binding 0 and
/// storage buffers at bindings 1, 2, … in the order the host passes them.
pub struct Kernel {
    /// That of its file.
    pub name: &'static str,
    /// WGSL, with text constants and without its fragments.
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
    ("ancestral", include_str!("../../shaders/shared/ancestral.wgsl")),
    ("complex", include_str!("../../shaders/shared/complex.wgsl")),
    ("backflow_jets", include_str!("../../shaders/shared/backflow_jets.wgsl")),
    ("backflow_places", include_str!("../../shaders/shared/backflow_places.wgsl")),
    ("backflow_position", include_str!("../../shaders/shared/backflow_position.wgsl")),
    ("backflow_registers", include_str!("../../shaders/shared/backflow_registers.wgsl")),
    ("backflow_shapes", include_str!("../../shaders/shared/backflow_shapes.wgsl")),
    ("grid", include_str!("../../shaders/shared/grid.wgsl")),
    ("logarithm", include_str!("../../shaders/shared/logarithm.wgsl")),
    ("double_single", include_str!("../../shaders/shared/double_single.wgsl")),
    ("quotient", include_str!("../../shaders/shared/quotient.wgsl")),
    ("runge_kutta", include_str!("../../shaders/shared/runge_kutta.wgsl")),
    ("solver_state", include_str!("../../shaders/shared/solver_state.wgsl")),
    ("philox", include_str!("../../shaders/shared/philox.wgsl")),
    ("softplus_jet", include_str!("../../shaders/shared/softplus_jet.wgsl")),
    ("trap", include_str!("../../shaders/shared/trap.wgsl")),
    ("trap_lane", include_str!("../../shaders/shared/trap_lane.wgsl")),
    ("trap_radials", include_str!("../../shaders/shared/trap_radials.wgsl")),
    ("triangles", include_str!("../../shaders/shared/triangles.wgsl")),
    ("tokens", include_str!("../../shaders/shared/tokens.wgsl")),
    ("special", include_str!("../../shaders/shared/special.wgsl")),
];

impl Kernel {
    /// Complete WGSL text for the given constants.
    pub fn wgsl(&self, constants: &[(&'static str, u32)]) -> String {
        self.wgsl_edited(constants, |text| text)
    }

    /// The same, its source edited before loops are written out: how tests break a kernel.
    pub(super) fn wgsl_edited(&self, constants: &[(&'static str, u32)], edit: impl Fn(String) -> String) -> String {
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
        let text = edit(text);
        if text.contains("#for") { unroll(&mut text.lines(), constants) } else { text }
    }
}

/// Writes out the `#for` loops of `lines` up to the end, or the `#end` of the loop they are the body of.
fn unroll(lines: &mut std::str::Lines, constants: &[(&'static str, u32)]) -> String {
    let mut text = String::new();
    while let Some(line) = lines.next() {
        let code = line.trim();
        if code == "#end" {
            break;
        }
        let Some(head) = code.strip_prefix("#for ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let (variable, bound) = head.split_once(" in ").unwrap_or_else(|| panic!("`{code}`: expected `#for k in N`"));
        let named = constants.iter().find(|(name, _)| *name == bound).map(|(_, value)| *value);
        let count = named.or(bound.parse().ok()).unwrap_or_else(|| panic!("`{code}`: {bound} is no constant of this kernel"));
        let body = unroll(lines, constants);
        for k in 0..count {
            text.push_str(&body.replace(&format!("${variable}"), &k.to_string()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_over_registers_are_written_out() {
        let source = "a\n#for k in N\nb$k\n  #for j in 2\n  c$k_$j\n  #end\n#end\nd\n";
        let kernel = Kernel { name: "test", source, shared: &[], params_bytes: 0, variants: &[] };
        let expected = "const N: u32 = 2u;\na\nb0\n  c0_0\n  c0_1\nb1\n  c1_0\n  c1_1\nd\n";
        assert_eq!(kernel.wgsl(&[("N", 2)]), expected);
        assert!(kernel.wgsl(&[("N", 0)]).ends_with("a\nd\n"));
    }
}
