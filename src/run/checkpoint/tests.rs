use safetensors::tensor::Dtype;

use super::folder::{FOLDER, Saving, clear, newest, save};
use super::*;

/// A small one, with a text in which the marker of a checksum stands.
fn checkpoint(training: usize) -> Checkpoint {
    let settings = BTreeMap::from([("rs".to_string(), "5".to_string()), ("couplings".into(), r#""file_checksum":"01"#.into())]);
    let made = Provenance { version: "0.1.0".into(), system: "electron-gas".into(), settings, steps: training };
    let numbers = |dtype, bytes: &[u8]| Numbers { dtype, bytes: bytes.to_vec() };
    let state = State(BTreeMap::from([
        ("flow/parameters".to_string(), numbers(Dtype::F32, &[1.5f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat())),
        ("run/steps".into(), numbers(Dtype::F64, &[])),
        ("solver".into(), numbers(Dtype::U32, &(training as u32).to_le_bytes())),
    ]));
    let progress = Progress { phase: Phase::Training, before: 3, training, frozen: 0 };
    Checkpoint { head: Head { progress, remarks: vec!["ein Übel".into()], ..Head::new(made) }, state }
}

#[test]
fn checkpoints_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c ü.safetensors");
    checkpoint(7).write(&path).unwrap();
    let back = Checkpoint::read(&path).unwrap();
    assert_eq!(back.head, checkpoint(7).head);
    // bit by bit, NaN among them
    assert_eq!(back.state, checkpoint(7).state);
    let mut later = checkpoint(7);
    later.head.layout = 2;
    let text = Checkpoint::decode(later.encode().unwrap()).unwrap_err();
    assert!(text.contains("another version") && text.contains("layout 2, this one reads 1"), "{text}");
}

/// Every byte changed to every other value, every length, and one byte more.
#[test]
fn every_change_of_a_byte_and_every_truncation_is_found() {
    let whole = checkpoint(7).encode().unwrap();
    assert!(whole.len() < 1500, "{} bytes make a slow test", whole.len());
    let found = |bytes: Vec<u8>| Checkpoint::decode(bytes).is_err_and(|why| why.contains("damaged"));
    for at in 0..whole.len() {
        assert!(found(whole[..at].to_vec()), "cut to {at} bytes");
        for change in 1..=255 {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            assert!(found(bytes), "byte {at} changed by {change}");
        }
    }
    assert!(found([&whole[..], &[0]].concat()));
    assert!(Checkpoint::decode(whole).is_ok());
}

/// Of a folder as it is left when the newest file was torn at any byte, damaged or never renamed, the newest whole one is taken
/// and the others are told; the way is cleared for the steps that are made again.
#[test]
fn the_checkpoint_before_stands_in_for_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path();
    let saving = Saving { keep: 3, ..Saving::default() };
    for training in [10, 20, 30, 40] {
        save(run, &checkpoint(training), &saving).unwrap();
    }
    let at = |training: usize| run.join(FOLDER).join(format!("training-{training:09}.safetensors"));
    assert!(!at(10).exists());
    let whole = std::fs::read(at(40)).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(at(40), &whole[..cut]).unwrap();
        let found = newest(run, Phase::Frozen).unwrap();
        assert_eq!((found.checkpoint.head.progress.training, found.damaged.len()), (30, 1), "{cut}");
        assert!(found.warnings()[0].contains("training-000000040.safetensors") && found.warnings()[0].contains("training step 30"));
    }
    std::fs::write(at(30), b"").unwrap();
    std::fs::write(run.join(FOLDER).join(".tmpx"), b"half").unwrap();
    let found = newest(run, Phase::Frozen).unwrap();
    assert_eq!((found.checkpoint.head.progress.training, found.damaged.len()), (20, 2));
    clear(run, &found).unwrap();
    let mut left: Vec<String> =
        std::fs::read_dir(run.join(FOLDER)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["training-000000020.safetensors", "training-000000030.damaged", "training-000000040.damaged"]);
    std::fs::write(at(20), &whole[1..]).unwrap();
    let text = newest(run, Phase::Frozen).err().unwrap().to_string();
    assert!(text.contains("has no checkpoint to go on from") && text.contains("training-000000020"), "{text}");
}

/// A disk that is full at a checkpoint leaves the ones before, and says which file and how many bytes.
#[cfg(target_os = "linux")]
#[test]
fn a_checkpoint_that_cannot_be_written_takes_none_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path();
    save(run, &checkpoint(10), &Saving::default()).unwrap();
    // a folder in its place: the rename fails, for root too
    let path = run.join(FOLDER).join("training-000000020.safetensors");
    std::fs::create_dir_all(path.join("in the way")).unwrap();
    let text = save(run, &checkpoint(20), &Saving { keep: 1, ..Saving::default() }).unwrap_err().to_string();
    let bytes = checkpoint(20).encode().unwrap().len();
    assert!(text.contains("training-000000020.safetensors") && text.contains(&format!("({bytes} bytes)")), "{text}");
    std::fs::remove_dir_all(&path).unwrap();
    assert_eq!(newest(run, Phase::Frozen).unwrap().checkpoint, checkpoint(10));
    assert_eq!(std::fs::read_dir(run.join(FOLDER)).unwrap().count(), 1);
}
