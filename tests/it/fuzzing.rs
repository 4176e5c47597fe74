//! What fuzzers would try for hours, for a moment: seeds of every kind of file that is read, changed at random
//! from a fixed seed, through the entry points that the targets in `fuzz/` have.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};
use sharpscope::fuzzing::{TARGETS, Target};
use sharpscope::rng::{Stream, stream};

use crate::support::names_in;

/// Changed files for each target, unless `FUZZ_TRIES` says how many.
const TRIES: usize = 400;
/// None takes longer, by far.
const PATIENCE: Duration = Duration::from_secs(10);

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

/// The seeds of a target, those that are gzipped also unpacked.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| {
        let bytes = std::fs::read(folder(target).join(&name)).unwrap();
        let mut unpacked = Vec::new();
        let mut packed = flate2::read::GzDecoder::new(&bytes[..]);
        let is_packed = std::io::Read::read_to_end(&mut packed, &mut unpacked).is_ok();
        let seeds = [Some(bytes), is_packed.then_some(unpacked)];
        seeds.into_iter().flatten().map(move |bytes| (name.clone(), bytes))
    };
    names_in(folder(target)).into_iter().flat_map(read).collect()
}

/// Numbers and marks that readers trip over.
const WORDS: [&str; 24] = [
    "0",
    "-1",
    "1e308",
    "1e-320",
    "NaN",
    "inf",
    "18446744073709551615",
    "9223372036854775808",
    "1e18",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"",
    ",",
    ";",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{feff}",
    "é",
    "[[[[[[[[",
];

/// Changes bytes in one of the ways that fuzzers have.
fn change<R: Rng>(bytes: &mut Vec<u8>, other: &[u8], rng: &mut R) {
    let at = rng.random_range(0..=bytes.len());
    let end = (at + rng.random_range(0..=64)).min(bytes.len());
    match rng.random_range(0..7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = rng.random(),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let part = bytes[at..end].repeat(rng.random_range(1..20));
            bytes.splice(at..at, part);
        }
        4 => bytes.truncate(at),
        5 if !other.is_empty() => {
            let from = rng.random_range(0..other.len());
            let part = other[from..(from + 64).min(other.len())].to_vec();
            bytes.splice(at..end, part);
        }
        _ => {
            let word = WORDS[rng.random_range(0..WORDS.len())];
            let end = if rng.random() { at } else { end };
            bytes.splice(at..end, word.bytes());
        }
    }
}

/// Makes one digit another, if there is one: most files stay well-formed, and say something else.
fn change_digit<R: Rng>(bytes: &mut [u8], rng: &mut R) {
    let from = rng.random_range(0..=bytes.len());
    let is_digit = |&at: &usize| bytes[at].is_ascii_digit();
    if let Some(at) = (from..bytes.len()).chain(0..from).find(is_digit) {
        bytes[at] = b'0' + rng.random_range(0..10);
    }
}

/// The first changed file on which a target panics or is slow. Some must be refused, or they were not changed.
fn try_out(name: &str, target: Target) -> Result<(), String> {
    let seeds = seeds(name);
    let rng = &mut stream(1, Stream::Generation);
    let tries = std::env::var("FUZZ_TRIES").map_or(TRIES, |tries| tries.parse().unwrap());
    let mut understood = 0;
    for attempt in 0..tries {
        let (seed, bytes) = &seeds[attempt % seeds.len()];
        let mut bytes = bytes.clone();
        // Every other file is changed by a digit alone, which gets past the parser.
        if attempt % 2 == 1 {
            change_digit(&mut bytes, rng);
        }
        let changes = if attempt % 2 == 1 { 0 } else { rng.random_range(1..5) };
        for _ in 0..changes {
            let other = &seeds[rng.random_range(0..seeds.len())].1;
            change(&mut bytes, other, rng);
        }
        let clock = Instant::now();
        let read = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
        understood += usize::from(matches!(read, Ok(true)));
        if read.is_err() || clock.elapsed() > PATIENCE {
            let kept = std::env::temp_dir().join(format!("sharpscope-{name}-{attempt}"));
            std::fs::write(&kept, &bytes).unwrap();
            let what = if read.is_err() { "panics" } else { "is slow" };
            return Err(format!("{name} {what} on {seed} as changed in {}", kept.display()));
        }
    }
    match understood < tries {
        true => Ok(()),
        false => Err(format!("{name}: {understood} of {tries} changed files were read")),
    }
}

#[test]
fn no_file_makes_a_reader_panic() {
    let wrong: Vec<String> =
        TARGETS.iter().filter_map(|(name, target)| try_out(name, *target).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Else the mutations would start from nothing.
#[test]
fn every_seed_is_a_file_that_is_read() {
    let mut known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    assert_eq!(names_in(folder("")), known);
    let targets = names_in(folder("").join("../fuzz_targets"));
    assert_eq!(targets, known.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>());
    for (name, target) in TARGETS {
        let all = seeds(name);
        let read = all.iter().filter(|(_, bytes)| target(bytes)).count();
        // Text in UTF-16 is there to be refused.
        let refused = usize::from(name == "text");
        assert_eq!(read + refused, all.len(), "{name}");
    }
}
