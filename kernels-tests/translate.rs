//! Every kernel in every variant parses, validates without optional capabilities, keeps WebGPU's
//! default limits, and is written as SPIR-V, MSL and HLSL. Needs no GPU.

#[path = "tint.rs"]
mod tint;

use std::io::Write;
use std::process::{Command, Stdio};

use helmholtz::gpu::{Kernel, SHARED};
use helmholtz::kernels;
use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

/// WebGPU's default limits, which every adapter offers.
const STORAGE_BUFFERS: usize = 8;
const THREADS: u32 = 256;
const WORKGROUP_BYTES: u32 = 16 << 10;
const UNIFORM_BYTES: u32 = 256;
/// Weights come from a second uniform buffer.
const WEIGHT_BYTES: u32 = 64 << 10;

fn parse(source: &str) -> Result<(naga::Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).map_err(|e| e.emit_to_string(source))?;
    Ok((module, info))
}

/// Runs a check on every kernel and variant; all failures are reported together.
fn each(check: impl Fn(&Kernel, &naga::Module, &ModuleInfo) -> Result<(), String>) {
    let mut failures = Vec::new();
    for kernel in kernels::ALL {
        assert!(!kernel.variants.is_empty(), "{} has no variants", kernel.name);
        for variant in kernel.variants {
            let done = parse(&kernel.wgsl(variant)).and_then(|(module, info)| check(kernel, &module, &info));
            if let Err(text) = done {
                failures.push(format!("{} {variant:?}: {text}", kernel.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn spirv(module: &naga::Module, info: &ModuleInfo) -> Result<Vec<u32>, String> {
    spv::write_vec(module, info, &spv::Options { lang_version: (1, 3), ..Default::default() }, None).map_err(|e| format!("SPIR-V: {e}"))
}

#[test]
fn kernels_are_written_for_every_back_end() {
    each(|_, module, info| {
        if spirv(module, info)?.len() < 5 {
            return Err("SPIR-V is empty".into());
        }
        let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
        let (text, _) = msl::write_string(module, info, &options, &msl::PipelineOptions::default()).map_err(|e| format!("MSL: {e}"))?;
        if !text.contains("kernel void") {
            return Err("MSL has no kernel".into());
        }
        let mut text = String::new();
        let options = hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, fake_missing_bindings: true, ..Default::default() };
        hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
            .write(module, info, None)
            .map_err(|e| format!("HLSL: {e}"))?;
        if text.contains("numthreads") { Ok(()) } else { Err("HLSL has no entry point".into()) }
    });
}

#[test]
fn kernels_keep_the_default_limits() {
    each(|kernel, module, info| {
        let [entry] = module.entry_points.as_slice() else {
            return Err(format!("{} entry points, needs main alone", module.entry_points.len()));
        };
        if entry.name != "main" || entry.stage != naga::ShaderStage::Compute {
            return Err("its entry point is not a compute shader called main".into());
        }
        let threads: u32 = entry.workgroup_size.iter().product();
        if threads == 0 || threads > THREADS {
            return Err(format!("{threads} threads a workgroup, at most {THREADS} are portable"));
        }
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).map_err(|e| format!("{e}"))?;
        let (mut storage, mut memory, mut bindings) = (0, 0, Vec::new());
        for (handle, variable) in module.global_variables.iter() {
            let name = variable.name.as_deref().unwrap_or("?");
            let size = layouter[variable.ty].size;
            match variable.space {
                naga::AddressSpace::WorkGroup => memory += size,
                naga::AddressSpace::Storage { .. } => storage += 1,
                naga::AddressSpace::Uniform if name == "weights" && size > WEIGHT_BYTES => {
                    return Err(format!("{size} bytes of weights, at most {WEIGHT_BYTES} are portable"));
                }
                naga::AddressSpace::Uniform if name == "weights" => {}
                naga::AddressSpace::Uniform if size as usize != kernel.params_bytes || !size.is_multiple_of(16) || size > UNIFORM_BYTES => {
                    return Err(format!(
                        "Params has {size} bytes on the device, {} on the host; needs the same, a multiple of 16, at most {UNIFORM_BYTES}",
                        kernel.params_bytes
                    ));
                }
                _ => {}
            }
            if let Some(binding) = &variable.binding {
                // an unused binding drops out of the pipeline's layout and shifts nothing but breaks the bind group
                if info.get_entry_point(0)[handle].is_empty() {
                    return Err(format!("binding {} ({name}) is never used", binding.binding));
                }
                if binding.group != 0 {
                    return Err(format!("{name} is not in group 0"));
                }
                bindings.push(binding.binding);
            }
        }
        bindings.sort_unstable();
        if bindings != (0..bindings.len() as u32).collect::<Vec<_>>() {
            return Err(format!("bindings {bindings:?} are not 0, 1, 2, …"));
        }
        if storage > STORAGE_BUFFERS {
            return Err(format!("{storage} storage buffers, at most {STORAGE_BUFFERS} are portable"));
        }
        if memory > WORKGROUP_BYTES {
            return Err(format!("{memory} bytes of workgroup memory, at most {WORKGROUP_BYTES} are portable"));
        }
        Ok(())
    });
}

/// Khronos' validator is a second opinion on the SPIR-V; not every machine has it.
#[test]
fn spirv_passes_the_khronos_validator() {
    if Command::new("spirv-val").arg("--version").output().is_err() {
        eprintln!("spirv-val is not installed: not tested");
        return;
    }
    each(|_, module, info| {
        let bytes: Vec<u8> = spirv(module, info)?.iter().flat_map(|w| w.to_le_bytes()).collect();
        let mut child = Command::new("spirv-val")
            .args(["--target-env", "vulkan1.1", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(&bytes).map_err(|e| e.to_string())?;
        }
        let out = child.wait_with_output().map_err(|e| e.to_string())?;
        if out.status.success() {
            Ok(())
        } else {
            Err(format!("spirv-val: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
        }
    });
}

#[test]
fn shared_fragments_are_used() {
    for (name, _) in SHARED {
        assert!(kernels::ALL.iter().any(|k| k.shared.contains(name)), "shaders/shared/{name}.wgsl is used by no kernel");
    }
}

/// The checks above must be able to fail.
#[test]
fn broken_kernels_are_refused() {
    let module = |body: &str| format!("@compute @workgroup_size(64) fn main() {{ {body} }}");
    assert!(parse(&module("let a = 1u;")).is_ok());
    assert!(parse(&module("let a: u32 = 1.0;")).is_err());
    assert!(parse("enable f16; @compute @workgroup_size(64) fn main() { let a = 1.0h; }").is_err());
}
