//! The GPU layer: recordings as text, refused launches, devices that fail, the caller's own device.

use std::time::Duration;

use helmholtz::Error;
use helmholtz::gpu::{Buffer, Gpu, Kernel, Profile, Recording, choose, grid, list};
use helmholtz::kernels::{linear, pad4};

fn product(rows: usize) -> Recording {
    let (x, w, y) = (Buffer::new("x", rows * 8), Buffer::new("w", 64), Buffer::new("y", rows * 8));
    let mut rec = Recording::new();
    rec.phase("layer");
    linear::record(&mut rec, "x w", linear::Params::new(rows, 2, 2, 0), &x, &w, &y);
    rec.copy_range(&y, 0, &x, 0, rows * 8);
    rec.clear(&y);
    rec
}

/// No device is needed to make, print and compare recordings.
#[test]
fn recordings_are_lists_that_can_be_compared() {
    let text = product(100).listing();
    assert_eq!(text, product(100).listing());
    assert_ne!(text, product(101).listing());
    assert_eq!(
        text,
        "layer/x w linear(WG=64 ROWS=8 COLS=2 MASK=0) [1, 1, 1] [x[800], w[64], y[800]]\ncopy y[800]+0 -> x[800]+0 800\nclear y[800]\n"
    );
    assert_eq!(product(100).flops(), 2.0 * 100.0 * 8.0 * 8.0);
    assert_eq!(grid(40_000), [32_768, 2, 1]);
    assert_eq!(grid(0)[0], 0);
}

static LONG: Kernel = Kernel {
    name: "long",
    source: "struct Params { n: u32, a: u32, b: u32, c: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  var v = f32(id.x);
  for (var i = 0u; i < p.n; i++) { v = v * 0.999 + 1.0; }
  y[id.x % 64u] = v;
}",
    shared: &[],
    params_bytes: 16,
    variants: &[],
};

static INVALID: Kernel = Kernel { name: "invalid", source: "fn main( {", ..LONG };

fn launch(kernel: &'static Kernel, loops: u32, groups: u32, y: &Buffer) -> Recording {
    let mut rec = Recording::new();
    rec.launch("test", kernel, &[loops, 0, 0, 0]).update(y, 64).trips(loops as u64).groups([groups, 1, 1]);
    rec
}

fn message(result: helmholtz::Result<()>) -> String {
    match result {
        Err(Error::Device(text)) => text,
        other => panic!("expected a device error, got {other:?}"),
    }
}

#[test]
fn launches_that_drivers_would_get_wrong_are_refused() {
    let gpu = Gpu::open_checked(None).expect("a Vulkan driver");
    let y = Buffer::new("y", 64);
    assert!(message(gpu.run(&launch(&LONG, 70_000, 1, &y))).contains("loop trips"));
    assert!(message(gpu.run(&launch(&LONG, 1, 70_000, &y))).contains("65,535"));
    let mut short = launch(&LONG, 1, 1, &y);
    if let helmholtz::gpu::Op::Dispatch(d) = &mut short.ops[0] {
        d.params.truncate(8);
    }
    assert!(message(gpu.run(&short)).contains("Params"));
    // a word short, written and bound twice, copied from outside
    let text = message(gpu.run(&launch(&LONG, 1, 1, &Buffer::new("short", 63))));
    assert!(text.contains("kernel long (test), binding 1: buffer short has 63 words, the launch needs 64"), "{text}");
    let mut twice = Recording::new();
    twice.launch("both", &LONG, &[1u32, 0, 0, 0]).read(&y, 64).write(&y, 64).groups([1, 1, 1]);
    assert!(message(gpu.run(&twice)).contains("binding 2: buffer y is written, and is binding 1 too"));
    let mut copy = Recording::new();
    copy.copy_range(&y, 60, &Buffer::new("to", 64), 0, 5);
    assert!(message(copy.check()).contains("copy of 5 words from word 60 of y (64 words)"));
    let mut all = launch(&LONG, 1, 1, &y);
    all.append(&copy);
    assert!(all.check().is_err());
    // in checked mode a host side that says it only reads what its kernel writes
    let mut reads = Recording::new();
    reads.launch("reads", &LONG, &[1u32, 0, 0, 0]).read(&y, 64).groups([1, 1, 1]);
    assert!(message(gpu.run(&reads)).contains("bindings written [false], its text has [true]"));
    // what did not run leaves no stale numbers behind
    let values: Vec<f32> = gpu.read(&y).expect("read");
    assert!(values.iter().all(|v| v.is_nan()), "poisoned until a kernel writes it");
    gpu.run(&launch(&LONG, 3, 1, &y)).expect("a right launch");
    assert!(gpu.read::<f32>(&y).expect("read").iter().all(|v| v.is_finite()));
}

/// A kernel that did not run, not wholly, or on nothing, is found before anybody reads what it should have written.
#[test]
fn a_kernel_that_does_not_run_is_found() {
    let gpu = Gpu::open_checked(None).expect("a Vulkan driver");
    let y = Buffer::new("y", 64);
    // all of them count: several launches, groups and dimensions
    let mut rec = launch(&LONG, 1, 3, &y);
    rec.append(&launch(&LONG, 2, 5, &y));
    if let helmholtz::gpu::Op::Dispatch(d) = &mut rec.ops[1] {
        d.groups = [5, 2, 3];
    }
    gpu.run(&rec).expect("all run");
    gpu.run_timed(&rec).expect("timed as well");
    if let helmholtz::gpu::Op::Dispatch(d) = &mut rec.ops[1] {
        d.groups = [0, 1, 1];
    }
    let text = message(gpu.run(&rec));
    assert!(text.contains("kernel long (test) would be launched with no workgroups: its outputs would be stale"), "{text}");
    // as from a driver that drops a launch, or some of its workgroups
    for (to, said) in [("", "kernel long (test): 0 of 192 invocations ran"), ("if (id.x < 64u) ", "64 of 192 invocations ran")] {
        let count = "atomicAdd(&invocations_run, 1u);";
        let to = if to.is_empty() { count.replace("1u", "0u") } else { format!("{to}{{ {count} }}") };
        let text = message(gpu.broken(&LONG, count, &to).run(&launch(&LONG, 1, 3, &y)));
        assert!(text.contains(said) && text.contains("what was there before"), "{text}");
    }
}

#[test]
fn an_invalid_kernel_is_an_error_that_names_it() {
    let gpu = Gpu::open(None).expect("a Vulkan driver");
    let text = message(gpu.run(&launch(&INVALID, 1, 1, &Buffer::new("y", 64))));
    assert!(text.contains("kernel invalid does not compile"), "{text}");
}

#[test]
fn waits_have_a_deadline() {
    let mut gpu = Gpu::open(None).expect("a Vulkan driver");
    gpu.deadline = Duration::from_millis(1);
    let y = Buffer::new("y", 64);
    let mut rec = Recording::new();
    // tens of milliseconds, of two cores or of a data-centre GPU
    let groups = if gpu.profile == Profile::Gpu { 65_000 } else { 400 };
    for _ in 0..4 {
        rec.append(&launch(&LONG, 50_000, groups, &y));
    }
    gpu.run(&rec).expect("submitted");
    assert!(message(gpu.wait()).contains("did not finish"));
    gpu.deadline = Duration::from_secs(120);
    gpu.wait().expect("it finishes in the end");
}

#[test]
fn a_lost_device_is_an_error() {
    let gpu = Gpu::open(None).expect("a Vulkan driver");
    let y = Buffer::new("y", 64);
    gpu.run(&launch(&LONG, 1, 1, &y)).expect("runs");
    gpu.wait().expect("waits");
    gpu.destroy();
    let after = gpu.run(&launch(&LONG, 1, 1, &y)).and_then(|()| gpu.read::<f32>(&y).map(|_| ()));
    assert!(matches!(after, Err(Error::Lost(_))), "{after:?}");
    // whatever is asked of it: it stays lost
    for (what, done) in [
        ("waiting", gpu.wait()),
        ("a new array", gpu.read::<f32>(&Buffer::new("new", 64)).map(|_| ())),
        ("another kernel", gpu.run(&product(100))),
    ] {
        assert!(matches!(done, Err(Error::Lost(_))), "{what}: {done:?}");
    }
}

/// An array that the device does not give is an error of its own, with its name and bytes.
#[test]
fn an_allocation_that_fails_is_an_error_that_names_it() {
    let listed = choose(None).expect("a Vulkan driver");
    let required_limits = wgpu::Limits { max_buffer_size: 1 << 20, ..listed.adapter.limits() };
    let descriptor = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(listed.adapter.request_device(&descriptor)).expect("opens");
    let gpu = Gpu::from_device(listed.info, device, queue).expect("takes it");
    let done = gpu.run(&launch(&LONG, 1, 1, &Buffer::new("large", (1 << 18) + 1)));
    let Err(Error::Memory(text)) = done else { panic!("{done:?}") };
    assert!(text.contains("array large of 1048580 bytes (1 MiB) cannot be allocated"), "{text}");
    gpu.run(&launch(&LONG, 1, 1, &Buffer::new("small", 64))).and_then(|()| gpu.wait()).expect("the device is as it was");
}

#[test]
fn adapters_are_chosen_by_index_name_backend_and_kind() {
    let all = list();
    assert!(!all.is_empty(), "a Vulkan driver");
    let first = &all[0];
    for selector in [first.selector(), first.info.name.clone(), first.backend(), first.kind().to_string()] {
        let found = choose(Some(&selector)).unwrap_or_else(|e| panic!("{selector}: {e}"));
        assert!(found.index == first.index || found.kind() == first.kind() || found.backend() == first.backend(), "{selector}");
    }
    let Err(Error::Device(text)) = choose(Some("no such card")) else { panic!("found one") };
    assert!(text.contains("no such card") && text.contains(&first.info.name), "{text}");
}

/// The kernels run on a device and a buffer that the caller made with wgpu.
#[test]
fn kernels_run_on_the_callers_buffers() {
    let listed = choose(None).expect("a Vulkan driver");
    let descriptor = wgpu::DeviceDescriptor { required_limits: listed.adapter.limits(), ..Default::default() };
    let (device, queue) = pollster::block_on(listed.adapter.request_device(&descriptor)).expect("opens");
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let raw = |size| device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false });
    let (x, w, y) = (raw(4 * 12), raw(4 * 16), raw(4 * 12));
    let gpu = Gpu::from_device(listed.info, device, queue).expect("takes it");
    let [x, w, y] = [("x", x), ("w", w), ("y", y)].map(|(name, raw)| Buffer::from_wgpu(name, raw));
    let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
    gpu.write(&x, &values);
    let mut twice = [0.0f32; 16];
    (0..4).for_each(|i| twice[5 * i] = 2.0);
    gpu.write(&w, &twice);
    let mut rec = Recording::new();
    linear::record(&mut rec, "2 x", linear::Params::new(3, pad4(4) / 4, pad4(4) / 4, 0), &x, &w, &y);
    gpu.run(&rec).expect("runs");
    assert_eq!(gpu.read::<f32>(&y).expect("read"), values.iter().map(|v| 2.0 * v).collect::<Vec<_>>());
}

#[test]
fn pipelines_are_made_ahead_once_and_kept_where_the_driver_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rec = product(100);
    rec.append(&product(200));
    rec.append(&launch(&LONG, 3, 1, &Buffer::new("y", 64)));
    assert_eq!(rec.pipelines(), 2);
    let mut gpu = Gpu::open(None).expect("a Vulkan driver");
    let found = gpu.use_cache(folder.path());
    gpu.prepare(&rec).expect("compiles");
    let made = gpu.compiled();
    gpu.prepare(&rec).expect("nothing is left to do");
    gpu.run(&rec).expect("runs");
    assert_eq!((made.0, gpu.compiled()), (2, made), "compiled twice");
    let text = message(gpu.prepare(&launch(&INVALID, 1, 1, &Buffer::new("y", 64))));
    assert!(text.contains("kernel invalid does not compile"), "{text}");
    let saved = gpu.save_cache().expect("a file");
    let files = std::fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(files, saved.is_some() as usize, "a driver that hands nothing out leaves no file");
    assert!(found.is_some() || saved.is_none(), "kept by a driver that cannot");
    let Some(bytes) = saved else { return };
    assert_eq!(Gpu::open(None).expect("opens").use_cache(folder.path()), Some(bytes));
    // a damaged file counts as none
    let file = std::fs::read_dir(folder.path()).expect("the folder").flatten().next().expect("the file").path();
    std::fs::write(&file, &std::fs::read(&file).expect("reads")[1..]).expect("writes");
    let mut gpu = Gpu::open(None).expect("opens");
    assert_eq!(gpu.use_cache(folder.path()), Some(0));
    gpu.run(&product(100)).expect("runs");
}
