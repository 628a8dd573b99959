//! Every kernel refuses buffers that are a word short, when it is recorded and before anything runs.

use helmholtz::gpu::{Buffer, Profile, Recording};
use helmholtz::kernels::*;
use helmholtz::system::{ElectronGas, Ewald};

/// Records with buffers as long as needed: no fault. Then with one of them a word short, each in turn: the recording names
/// it with both lengths, and no device runs it.
pub(crate) fn refuses(entry: &str, needed: &[usize], record: impl Fn(&mut Recording, &[Buffer])) {
    let recorded = |short: Option<usize>| {
        let buffer = |(i, words): (usize, &usize)| Buffer::new(format!("{entry} {i}"), words - usize::from(short == Some(i)));
        let buffers: Vec<Buffer> = needed.iter().enumerate().map(buffer).collect();
        let mut rec = Recording::new();
        record(&mut rec, &buffers);
        assert!(rec.dispatches().count() > 0, "{entry} recorded nothing");
        rec.check().map_err(|e| e.to_string())
    };
    recorded(None).unwrap_or_else(|e| panic!("{e}"));
    for (i, words) in needed.iter().enumerate() {
        // no buffer is shorter than 4 words
        if *words <= 4 {
            continue;
        }
        let text = recorded(Some(i)).expect_err(&format!("{entry}: a short buffer {i} of {} words", words - 1));
        let said = format!("buffer {entry} {i} has {} words, the launch needs {words}", words - 1);
        assert!(text.contains("kernel ") && text.contains(", binding ") && text.contains(&said), "{text}");
    }
}

/// Walkers, electrons, dimension: odd, and no multiples of a tile.
const W: usize = 7;
const N: usize = 5;
const D: usize = 3;

fn gas() -> ElectronGas {
    ElectronGas::with(N, D, 2.0, 0.2, None, None).unwrap()
}

#[test]
fn of_products_and_tables() {
    // 7 rows of 9 numbers times 9 x 6, in rows of 12 and 8
    let p = linear::Params::new(W, 3, 2, 5).bias(2, 1);
    refuses("linear", &[W * 12, 20 + 96, W * 8], |rec, b| linear::record(rec, "x w", p, &b[0], &b[1], &b[2]));
    let batched = linear::Params { batches: 6, w_div: 2, x_stride: 30, w_stride: 25, y_stride: 15, ..linear::Params::new(W, 3, 2, 0) };
    refuses("batched", &[4 * (150 + 21), 4 * (50 + 24), 4 * (75 + 14)], |rec, b| {
        linear::record(rec, "x w", batched.accumulate(), &b[0], &b[1], &b[2]);
    });
    let p = outer::Params {
        batches: 3,
        outer: W as u32,
        inner: 2,
        rows_out: 9,
        cols: 6,
        x_stride: 60,
        x_outer: 8,
        x_inner: 3,
        y_offset: 1,
        y_stride: 40,
        y_outer: 5,
        y_inner: 2,
        g_offset: 11,
        g_stride: 60,
        flags: 0,
        x_offset: 2,
    };
    refuses("outer", &[4 * (2 + 120 + 48 + 3 + 3), 4 * (1 + 80 + 30 + 2 + 2), 11 + 120 + 54], |rec, b| {
        outer::record(rec, "x y", p, &b[0], &b[1], &b[2]);
    });
    let bias = outer::Params { flags: outer::ONES, rows_out: 1, inner: 1, ..p };
    refuses("bias", &[4, 4 * (1 + 80 + 30 + 2), 11 + 120 + 6], |rec, b| outer::record(rec, "sum y", bias, &b[0], &b[1], &b[2]));
    refuses("column sum", &[4 * (1 + 80 + 30 + 2), 11 + 120 + 6], |rec, b| column_sum::record(rec, "sum y", bias, &b[0], &b[1]));
    refuses("pack", &[17, 23, 23], |rec, b| pack::record(rec, "pack", 23, (&b[0], 17), &b[1], &b[2]));
    refuses("philox", &[4 * W * 3], |rec, b| {
        let at = philox::Stream { seed: 1, step: 2, purpose: philox::purpose::FILL, first_walker: 3 };
        philox::record(rec, "numbers", philox::Kind::Normal, at, W, 3, &b[0]);
    });
    refuses("special", &[W, 2 * W], |rec, b| special::record(rec, "f", special::Function::SinCos2Pi, W, &b[0], &b[1]));
    refuses("roof fma", &[W, 4 * W], |rec, b| roof::record_fma(rec, W, 10, &b[0], &b[1]));
    refuses("roof copy", &[4 * W, 4 * W], |rec, b| roof::record_copy(rec, W, &b[0], &b[1]));
}

#[test]
fn of_determinants() {
    for profile in [Profile::Simd, Profile::Gpu] {
        // in registers, and in a buffer
        for (order, inverse) in [(5, true), (5, false), (210, true)] {
            let ld = pad4(order);
            for complex in [false, true] {
                let words = W * if complex { 2 * order * order } else { ld * ld };
                let mut needed = vec![words, W, W, W];
                needed.extend(inverse.then_some(words));
                refuses("determinant", &needed, |rec, b| {
                    let mut out = determinant::Outputs::real("d", order, 2 * W, false).unwrap();
                    (out.logdet, out.sign, out.status) = (b[1].clone(), b[2].clone(), b[3].clone());
                    out.inverse = b.get(4).cloned();
                    let record = if complex { determinant::complex } else { determinant::real };
                    record(rec, "d", profile, &b[0], order, W, &out);
                });
            }
        }
        // scratch: blocks of 8 rows and columns, or as the matrices, padded
        let scratch = |order: usize, words: usize| {
            refuses("scratch", &[W * words], |rec, b| {
                let ld = pad4(order);
                let mut out = determinant::Outputs::real("d", order, W, false).unwrap();
                out.work = b[0].clone();
                determinant::real(rec, "d", profile, &Buffer::new("a", W * ld * ld), order, W, &out);
            });
        };
        if profile == Profile::Simd {
            scratch(9, 16 * 16);
        }
        scratch(210, 212 * 212);
    }
}

#[test]
fn of_plane_waves_and_energies() {
    let (gas, size) = (gas(), N * D);
    let (table, square, ld) = (4 * gas.orbital_count(), 2 * W * N * N, pad4(N * D));
    refuses("slater", &[W * size, W * N, table, square], |rec, b| {
        slater::record(rec, "m", slater::Params::new(&gas, W), &b[0], &b[1], &b[2], &b[3]);
    });
    let waves = |b: &'_ [Buffer]| -> [Buffer; 4] { std::array::from_fn(|i| b[i].clone()) };
    refuses("slater gradient", &[square, square, W * N, table, square * D, 2 * W * size], |rec, b| {
        let [matrix, inverse, states, orbitals] = &waves(b);
        let waves = slater_gradient::Waves { matrix, inverse, states, orbitals };
        slater_gradient::record(rec, "c", slater_gradient::Params::new(&gas, W), waves, &b[4], &b[5]);
    });
    refuses("slater laplacian", &[square, square, W * N, table, square * D, W * ld * ld, 2 * W], |rec, b| {
        let [matrix, inverse, states, orbitals] = &waves(b);
        let waves = slater_gradient::Waves { matrix, inverse, states, orbitals };
        slater_laplacian::record(rec, "t", slater_gradient::Params::new(&gas, W), waves, &b[4], &b[5], &b[6]);
    });
    refuses("local energy", &[2 * W * size, W * ld * ld, 2 * W, W * ld, W * ld, W, 2 * W * size, 4 * W], |rec, b| {
        let inputs = local_energy::Inputs { slater: &b[0], jacobian: &b[1], trace: &b[2], lap_z: &b[3], grad_q: &b[4], lap_q: &b[5] };
        local_energy::record(rec, "e", W, size, inputs, &b[6], &b[7]);
    });
    refuses("log psi", &[W, W, W], |rec, b| log_psi::record(rec, "l", W, 1.0, &b[0], &b[1], &b[2]));
    refuses("occupied", &[W * N, table, W * D, 4 * W], |rec, b| occupied::record(rec, &gas, W, &b[0], &b[1], &b[2], &b[3]));
    let (shells, bins) = (observables::Shells::new(D, 5), 7);
    fn of(x: &Buffer, length: f64) -> observables::Positions<'_> {
        observables::Positions { x, walkers: W, n: N, dim: D, length }
    }
    refuses("structure factor", &[W * size, 4 * shells.vectors.len(), shells.len() + 1, W * shells.len()], |rec, b| {
        observables::structure_factor(rec, of(&b[0], gas.length()), &shells, &b[1], &b[2], &b[3]);
    });
    refuses("pair histogram", &[W * size, W * bins], |rec, b| observables::pair_histogram(rec, of(&b[0], gas.length()), bins, &b[1]));
    refuses("occupation of shells", &[W * N, 81, 5, W * 5], |rec, b| {
        observables::occupation_shells(rec, (W, N), &b[0], (81, 5), &b[1], &b[2], &b[3]);
    });
    // walkers 10 to 16 of a batch, whose sums are the fourth row
    refuses("sums of bins", &[W * bins, 4 * (10 + W), 2 * bins * 4], |rec, b| {
        observables::bin_sums(rec, Chunk { first: 10, count: W }, bins, &b[0], &b[1], (&b[2], 3));
    });
    let stream = philox::Stream { seed: 1, step: 0, purpose: philox::purpose::DISPLACEMENT, first_walker: 0 };
    refuses("move one electron", &[W * size, W * size, 4 * W], |rec, b| {
        momentum::displace(rec, of(&b[0], gas.length()), stream, 1, &b[1], &b[2]);
    });
    refuses("psi", &[W, W, W, W, W, 2 * W], |rec, b| {
        let mut slater = determinant::Outputs::complex("m", N, W, false).unwrap();
        let mut jacobian = determinant::Outputs::real("j", size, W, false).unwrap();
        (slater.logdet, slater.sign, slater.status) = (b[0].clone(), b[1].clone(), b[2].clone());
        (jacobian.logdet, jacobian.status) = (b[3].clone(), b[4].clone());
        momentum::amplitude(rec, W, &slater, &jacobian, &b[5]);
    });
    refuses("momentum distribution", &[2 * W, 2 * W, 4 * W, 4 * 9, 5, W * 4], |rec, b| {
        let waves = momentum::PlaneWaves { vectors: &b[3], count: 9, starts: &b[4], shells: 4, largest: 4 };
        momentum::momentum_distribution(rec, (W, N), waves, [&b[0], &b[1], &b[2]], (true, 1.0), &b[5]);
    });
    let ewald = Ewald::new(D, 6.0, 3).unwrap();
    let words = 16 * ewald.vectors.len().div_ceil(4);
    refuses("ewald", &[W * size, words, W], |rec, b| {
        ewald::record(rec, "v", ewald::Params::new(&ewald, W, N, 2.0, gas.length()), &b[0], &b[1], &b[2]);
    });
}

#[test]
fn of_samplers() {
    let (gas, size, ld) = (gas(), N * D, pad4(N * D));
    let table = 4 * gas.orbital_count();
    let at = philox::Stream { seed: 1, step: 0, purpose: philox::purpose::POSITIONS, first_walker: 0 };
    for profile in [Profile::Simd, Profile::Gpu] {
        // whole groups of column pairs, also past the last
        let basis = 4 * W * N * pad4(N) / 2;
        refuses("dpp", &[W * N, table, basis, 4 * W, W * size], |rec, b| {
            let out = dpp::Outputs { basis: b[2].clone(), progress: b[3].clone(), z: b[4].clone() };
            dpp::record(rec, profile, &gas, dpp::Draw { at, walkers: W }, &b[0], &b[1], &out).unwrap();
        });
        refuses("newton", &[W * size, W * size, W * ld * ld, W, W * size, 2 * W * size, 4 * W, W], |rec, b| {
            let it = newton::Iteration { line: b[5].clone(), state: b[6].clone(), status: b[7].clone() };
            let inputs = newton::Inputs { z: &b[0], zeta: &b[1], inverse: &b[2], sign: &b[3] };
            let s = newton::Settings { walkers: W, size, length: gas.length(), tolerance: 1e-4 };
            newton::record(rec, profile, newton::Phase::Step, s, inputs, &b[4], &it);
        });
    }
    refuses("leave out", &[W, 4 * W, W], |rec, b| newton::record_leave_out(rec, W, N, &b[0], &b[1], &b[2]));
    let m = metropolis::Move { at, walkers: W, size };
    refuses("propose", &[W * size, W * size], |rec, b| {
        metropolis::record_propose(rec, m, &b[0], &Buffer::new("width", 4), &b[1]);
    });
    // walkers 10 to 16 of a batch of which 13 are tracked; the fourth sweep
    refuses("accept", &[W * size, W * size, W, W, 2 * (10 + W), 3 * 13 + 13], |rec, b| {
        let accept = metropolis::Accept {
            x: &b[0],
            proposal: &b[1],
            log_psi: &b[2],
            proposed: &b[3],
            counts: &b[4],
            series: &b[5],
            here: 10,
            tracked: 13,
            sweep: 3,
            length: gas.length(),
        };
        metropolis::record_accept(rec, m, accept);
    });
    refuses("adapt", &[2 * W], |rec, b| {
        let p = metropolis::AdaptParams { walkers: W as u32, ..Default::default() };
        metropolis::record_adapt(rec, p, &b[0], &Buffer::new("state", metropolis::STATE));
    });
}

/// Of electrons in a trap: 7 walkers of 3, 5 units, 2 steps.
#[test]
fn of_the_trap() {
    let s = trap::Shape { n: 3, units: 5, steps: 2, walkers: W };
    let stream = |purpose| philox::Stream { seed: 1, step: 2, purpose, first_walker: 3 };
    for profile in [Profile::Simd, Profile::Gpu] {
        refuses("trap flow", &[48, 6 * W, 6 * W], |rec, b| trap::record_flow(rec, profile, s, &b[0], &b[1], &b[2]));
        refuses("trap energy", &[48, 6 * W, 6 * W, W, 11 * 3, 48 * W, 6 * W, 8 * W], |rec, b| {
            let out = trap::Outputs { stages: b[5].clone(), slope: b[6].clone(), records: b[7].clone() };
            let occupied = trap::Occupied { table: &b[4], states: 11, index: &b[3] };
            trap::record_energy(rec, profile, s, &b[0], &b[1], &b[2], occupied, &out);
        });
        refuses("trap scores", &[48, 48 * W, 6 * W, 8 * W, 32 * W], |rec, b| {
            let out = trap::Outputs { stages: b[1].clone(), slope: b[2].clone(), records: b[3].clone() };
            trap::record_scores(rec, profile, s, &b[0], &out, &b[4]);
        });
        refuses("trap draw", &[W, 11 * 3, 8 * 129, 6 * W, W], |rec, b| {
            let occupied = trap::Occupied { table: &b[1], states: 11, index: &b[0] };
            trap::record_draw(rec, profile, stream(philox::purpose::POSITIONS), W, 3, occupied, &b[2], &b[3], &b[4]);
        });
    }
    refuses("trap states", &[11, W], |rec, b| {
        trap::record_states(rec, stream(philox::purpose::OCCUPATION), W, 11, &b[0], &b[1]);
    });
    refuses("trap weights", &[30, 48, 48], |rec, b| trap::record_pack(rec, s, &b[0], &b[1], &b[2]));
}
