//! What must hold for any text and any bytes: readers of settings, checkpoints, parameters and couplings refuse what they cannot
//! take, and never take it for something else. `PROPTEST_CASES=100000 cargo test --release --test host properties` looks longer.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;
use safetensors::tensor::Dtype;

use helmholtz::archive::{Numbers, State};
use helmholtz::checksum::Checksum;
use helmholtz::config::{Key, Range, list};
use helmholtz::model::provenance::Provenance;
use helmholtz::problem::{Kind, kinds, resolve};
use helmholtz::run::checkpoint::{Checkpoint, Head, Progress};
use helmholtz::run::{Goal, Phase, duration};
use helmholtz::{Error, ParameterFile, Resolved};

/// As many cases as `PROPTEST_CASES` says, or few; what fails is printed with its input, and leaves no file.
fn config() -> Config {
    let told = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() { told } else { Config { cases: 64, ..told } }
}

/// A user's mistake, told in words.
fn told<T>(done: Result<T, Error>) -> Result<(), TestCaseError> {
    match done {
        Ok(_) => Ok(()),
        Err(Error::User(text)) => {
            prop_assert!(text.len() > 5, "{:?}", text);
            Ok(())
        }
        Err(other) => Err(TestCaseError::fail(format!("not a user's mistake: {other:?}"))),
    }
}

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// A part of it, again at another place.
    Copy(Index, usize, Index),
    Cut(Index),
}

fn change() -> impl Strategy<Value = Change> {
    // bytes that mean something in TOML, JSON and numbers among any others
    let byte = || prop_oneof![any::<u8>(), select(&b"=\"'[]{},.#\n\r-+_e09 \x00\xff"[..])];
    prop_oneof![
        4 => (any::<Index>(), byte()).prop_map(|(at, b)| Change::Set(at, b)),
        2 => (any::<Index>(), vec(byte(), 1..9)).prop_map(|(at, b)| Change::Insert(at, b)),
        2 => (any::<Index>(), 1usize..40).prop_map(|(at, n)| Change::Remove(at, n)),
        1 => (any::<Index>(), 1usize..40, any::<Index>()).prop_map(|(from, n, to)| Change::Copy(from, n, to)),
        1 => any::<Index>().prop_map(Change::Cut),
    ]
}

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        let len = bytes.len();
        let end = |at: usize, n: usize| (at + n).min(len);
        match change {
            _ if len == 0 => {}
            Change::Set(at, b) => bytes[at.index(len)] = *b,
            Change::Insert(at, new) => drop(bytes.splice(at.index(len)..at.index(len), new.iter().copied())),
            Change::Remove(at, n) => drop(bytes.drain(at.index(len)..end(at.index(len), *n))),
            Change::Copy(from, n, to) => {
                let part = bytes[from.index(len)..end(from.index(len), *n)].to_vec();
                drop(bytes.splice(to.index(len)..to.index(len), part));
            }
            Change::Cut(at) => bytes.truncate(at.index(len)),
        }
    }
    bytes
}

fn kind() -> impl Strategy<Value = &'static Kind> {
    // the last one needs a file of couplings
    select(kinds().filter(|kind| kind.name() != "couplings").collect::<Vec<_>>())
}

/// `key=value` for a setting, mostly one that it takes.
fn value(key: &'static Key) -> BoxedStrategy<String> {
    let (low, high) = match key.range {
        Range::Within(a, b) | Range::AboveTo(a, b) | Range::Either(a, b) | Range::ZeroOr(a, b) => (a, b),
        Range::AtLeast(a) | Range::Above(a) => (a, a + 1e6),
        Range::Any => (-10.0, 10.0),
    };
    let number = prop_oneof![(0.0..=1.0f64).prop_map(move |u| low + u * (high - low)), Just(low), Just(high)].boxed();
    let whole = number.clone().prop_map(|v| format!("{:.0}", v.floor()));
    let real = number.prop_map(|v| format!("{v:?}"));
    let words: Vec<String> = key.kind.split(" or ").flat_map(|w| w.split(", ")).map(String::from).collect();
    let own = match key.kind {
        "whole number" => whole.boxed(),
        "number" => prop_oneof![real, (1u32..9, 1u32..9).prop_map(|(a, b)| format!("{a}/{b}"))].boxed(),
        kind if kind.starts_with("numbers") => vec(real, 1..4).prop_map(|v| v.join(",")).boxed(),
        _ => select(words).boxed(),
    };
    let default = if key.default.is_empty() { "7".to_string() } else { key.default.to_string() };
    let name = key.name;
    prop_oneof![8 => own, 1 => Just(default), 1 => any::<String>()].prop_map(move |text| format!("{name}={text}")).boxed()
}

/// A system with some of its settings.
fn given() -> impl Strategy<Value = (&'static Kind, Vec<String>)> {
    kind().prop_flat_map(|kind| {
        let keys: Vec<&'static Key> = kind.system.keys().collect();
        let words = vec(select(keys).prop_flat_map(value), 0..4);
        (Just(kind), words)
    })
}

/// What the settings' own example leaves to be said.
fn with_example(kind: &'static Kind, words: &[String]) -> Vec<String> {
    let taken = |name: &str| words.iter().any(|w| w.split('=').next() == Some(name));
    let example = kind.system.example.iter().filter(|(name, _)| !taken(name)).map(|(name, value)| format!("{name}={value}"));
    example.chain(words.iter().cloned()).collect()
}

/// The settings of a file with these bytes.
fn of_file(name: &str, bytes: &[u8], words: &[String]) -> Result<Resolved, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    resolve(&path, words)
}

fn checkpoint() -> Checkpoint {
    let settings = BTreeMap::from([("rs".to_string(), "5".to_string()), ("couplings".into(), r#""file_checksum":"01"#.into())]);
    let made = Provenance { version: "0.1.0".into(), system: "electron-gas".into(), settings, steps: 7 };
    let numbers = |dtype, bytes: &[u8]| Numbers { dtype, bytes: bytes.to_vec() };
    let state = State(BTreeMap::from([
        ("flow/parameters".to_string(), numbers(Dtype::F32, &[1.5f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat())),
        ("run/steps".into(), numbers(Dtype::F64, &0.1f64.to_le_bytes())),
    ]));
    let progress = Progress { phase: Phase::Training, before: 3, training: 7, frozen: 0 };
    Checkpoint { head: Head { progress, remarks: vec!["ein Übel".into()], ..Head::new(made) }, state }
}

/// Puts a right checksum into a damaged file: what one who forges it would do.
fn forged(mut bytes: Vec<u8>) -> Vec<u8> {
    let marker = br#"\"file_checksum\":\""#;
    if let Some(at) = bytes.windows(marker.len()).position(|w| w == marker).map(|at| at + marker.len())
        && at + 16 <= bytes.len()
    {
        bytes[at..at + 16].fill(b'0');
        let sum = format!("{:016x}", Checksum::of(&bytes).value());
        bytes[at..at + 16].copy_from_slice(sum.as_bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn properties_of_any_words(kind in kind(), words in vec(any::<String>(), 0..4), target in any::<String>()) {
        told(resolve(kind.name(), &words))?;
        if !Path::new(&target).exists() {
            told(resolve(&target, &words))?;
        }
        for text in words.iter().chain([&target]) {
            let _ = (list(text, false), list(text, true), Goal::parse(text, kind), duration::parse(text));
        }
    }

    #[test]
    fn properties_of_any_file(bytes in vec(any::<u8>(), 0..200), text in any::<String>(), words in vec(any::<String>(), 0..2)) {
        told(of_file("any.toml", &bytes, &words))?;
        told(of_file("any.toml", text.as_bytes(), &words))?;
    }

    /// A file that was whole once: refused, or settings that are written and read as what they are.
    #[test]
    fn properties_of_changed_settings_files((kind, words) in given(), changes in vec(change(), 1..6)) {
        let Ok(resolved) = resolve(kind.name(), &with_example(kind, &words)) else { return Ok(()) };
        let bytes = changed(resolved.toml().as_bytes(), &changes);
        let read = of_file("changed.toml", &bytes, &[]);
        if let Ok(settings) = &read {
            let again = of_file("again.toml", settings.toml().as_bytes(), &[]);
            prop_assert!(again.is_ok_and(|again| again.values == settings.values), "{}", settings.toml());
        }
        told(read)?;
    }

    /// Settings that are taken read back from their own file, which says the same again.
    #[test]
    fn properties_of_settings((kind, words) in given()) {
        let words = with_example(kind, &words);
        let done = resolve(kind.name(), &words);
        if let Ok(resolved) = &done {
            let text = resolved.toml();
            let back = of_file("config.toml", text.as_bytes(), &[]);
            prop_assert!(back.is_ok(), "{words:?}: {:?}\n{text}", back.err());
            let back = back.unwrap();
            prop_assert!(back.system.name == kind.name() && back.values == resolved.values, "{words:?}\n{text}\n{}", back.toml());
            let settings = |text: &str| text.lines().map(|l| l.split(" # ").next().unwrap().trim_end().to_string()).collect::<Vec<_>>();
            prop_assert_eq!(settings(&back.toml()), settings(&text));
        }
        told(done)?;
    }

    /// A damaged checkpoint is refused; one with a forged checksum is at least no reason to panic.
    #[test]
    fn properties_of_checkpoints(changes in vec(change(), 1..6), any in vec(any::<u8>(), 0..300)) {
        let whole = checkpoint();
        let bytes = changed(&whole.encode().unwrap(), &changes);
        match Checkpoint::decode(bytes.clone()) {
            Ok(read) => prop_assert!(read == whole, "wrong data are loaded: {changes:?}"),
            Err(why) => prop_assert!(why.contains("damaged"), "{}", why),
        }
        let _ = Checkpoint::decode(forged(bytes));
        prop_assert!(Checkpoint::decode(any).is_err());
    }

    #[test]
    fn properties_of_files_of_numbers(
        any in vec(any::<u8>(), 0..200),
        changes in vec(change(), 0..5),
        ending in select(vec!["json", "csv", "npy", "safetensors", "qubo"]),
    ) {
        let dense = r#"{"n": 3, "J": [[0, 1, 0.5], [1, 0, -1], [0.5, -1, 0]]}"#;
        let sample = match ending {
            "json" => dense,
            "qubo" => "p qubo 0 3 3 2\n0 0 1\n1 1 -1\n2 2 0.5\n0 1 1\n1 2 -2\n",
            _ => "0,1,0.5\n1,2,-0.5\n0,2,1\n",
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("j.{ending}"));
        for bytes in [any, changed(sample.as_bytes(), &changes)] {
            std::fs::write(&path, bytes).unwrap();
            told(resolve("couplings", &[format!("couplings={}", path.display()), "beta=1".into()]))?;
            told(ParameterFile::read(&path))?;
        }
    }
}
