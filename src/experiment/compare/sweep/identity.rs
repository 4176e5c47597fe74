//! `sweep.json`: what the cells of a folder are, so that processes that were told otherwise, or are another version
//! of the program, keep out.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::plan::{MANIFEST, holds_other_data, other_config};
use super::super::{Comparison, ComparisonManifest};
use super::{lease, log};
use crate::data;
use crate::digest::digest;
use crate::error::{Error, Result};
use crate::input;
use crate::rundir::{SCHEMA_VERSION, check_schema, is_unfinished, now, to_json, write_new};

/// Its name.
const FILE: &str = "sweep.json";
const REMEDY: &str = "choose another --out";
/// A folder that another machine has made files in may show them late.
const LATE: Duration = Duration::from_secs(1);

/// What the cells of a comparison are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Version of the files' layout.
    pub schema_version: u32,
    /// Version of sharpscope that does them.
    pub version: String,
    /// When the first was begun (RFC 3339).
    pub started: String,
    /// How many there are.
    pub cells: usize,
    /// SHA-256 of the configurations of all, in their order.
    pub cells_sha256: String,
    /// SHA-256 of the dataset with the first seed.
    pub dataset_sha256: Option<String>,
    /// The configuration of the first.
    pub config: Map<String, Value>,
}

/// Whether cells of the comparison in a folder are, or were, done by several processes.
pub fn has_sweep(folder: &Path) -> bool {
    folder.join(FILE).is_file()
}

impl Sweep {
    /// What a comparison's is.
    fn of(comparison: &Comparison) -> Result<Self> {
        let first = &comparison.members[0].config;
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION").to_string(),
            started: now(),
            cells: comparison.members.len(),
            cells_sha256: cells_digest(comparison)?,
            dataset_sha256: comparison.dataset_sha256.clone(),
            config: first.what()?,
        })
    }

    /// What a folder's says.
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let remedy = "choose another --out, or remove it once no cell is being run";
        let sweep: Self = input::parse_json(&input::read_text(&path, remedy)?, &path, remedy)?;
        check_schema(sweep.schema_version, &path)?;
        Ok(sweep)
    }

    /// Makes the comparison's folder, or joins those that are at its cells there.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder that holds something else, or cells of other settings, of other data or of
    /// another version of the program; [`Error::Io`].
    pub fn join(comparison: &Comparison) -> Result<Self> {
        let folder = &comparison.directory;
        std::fs::create_dir_all(folder).map_err(|e| Error::folder(folder, "be made", &e))?;
        if !has_sweep(folder) {
            check_use(folder)?;
        }
        let own = Self::of(comparison)?;
        // Of several that come first one writes it, and the others read what that one wrote.
        write_new(&folder.join(FILE), &to_json(&own)?)?;
        let there = Self::read(folder)?;
        there.check(comparison, &own)?;
        let manifest = ComparisonManifest::of(comparison, &there.started, None);
        write_new(&folder.join(MANIFEST), &to_json(&manifest)?)?;
        Ok(there)
    }

    /// The sweep in the comparison's folder, for who reads what is there; `None` where one process did all of it.
    ///
    /// # Errors
    /// As [`Sweep::join`].
    pub fn find(comparison: &Comparison) -> Result<Option<Self>> {
        if !has_sweep(&comparison.directory) {
            return Ok(None);
        }
        let there = Self::read(&comparison.directory)?;
        there.check(comparison, &Self::of(comparison)?)?;
        Ok(Some(there))
    }

    /// Refuses a process that would do other cells, or the same in another way.
    fn check(&self, comparison: &Comparison, own: &Self) -> Result<()> {
        let folder = &comparison.directory;
        if self.version != own.version {
            return Err(other_version(folder, "its cells are", &self.version));
        }
        let first = &comparison.members[0];
        if !data::is_builtin(&first.config.dataset) && self.dataset_sha256 != own.dataset_sha256 {
            return Err(output(folder, holds_other_data(&first.config.dataset), REMEDY));
        }
        if self.cells_sha256 == own.cells_sha256 {
            return Ok(());
        }
        let there = Value::Object(self.config.clone());
        let problem = match (other_config(&there, &first.config), self.cells == own.cells) {
            (Some((key, there, wanted)), _) => {
                format!("its cells have {key} = {there}, not {wanted}")
            }
            (None, false) => format!("it has {} cells, not {}", self.cells, own.cells),
            (None, true) => format!("its {} cells have other settings or seeds", self.cells),
        };
        let remedy = format!(
            "give the settings that they were begun with, choose another --out, or remove its \
             {FILE} once no cell is being run"
        );
        Err(output(folder, problem, &remedy))
    }
}

/// That what is there was written by another version of the program.
pub fn other_version(path: &Path, what: &str, version: &str) -> Error {
    let own = env!("CARGO_PKG_VERSION");
    let problem = format!("{what} of sharpscope {version}, and this is {own}");
    output(path, problem, "use one version for all cells, or choose another --out")
}

fn output(path: &Path, problem: String, remedy: &str) -> Error {
    Error::Output { path: path.to_path_buf(), problem, remedy: remedy.to_string() }
}

fn cells_digest(comparison: &Comparison) -> Result<String> {
    let mut settings = Vec::new();
    for setting in &comparison.settings {
        settings.push(setting.slug.clone());
        settings.push(
            serde_json::to_string(&setting.config.what()?)
                .map_err(|e| Error::Encode { what: "a configuration", reason: e.to_string() })?,
        );
    }
    let cells = comparison.members.iter();
    settings.extend(cells.map(|member| format!("{} {}", member.setting, member.config.seed)));
    Ok(digest(&[settings.join("\n").as_bytes()]))
}

/// Refuses a folder that holds something else than a comparison, or than what another process has just begun to
/// put there.
fn check_use(folder: &Path) -> Result<()> {
    let begun = std::time::Instant::now();
    loop {
        let entries =
            std::fs::read_dir(folder).map_err(|e| Error::folder(folder, "be used", &e))?;
        let own = |entry: std::fs::DirEntry| {
            let name = entry.file_name();
            is_unfinished(&name) || name == lease::FOLDER || name == log::FOLDER
        };
        let empty = entries.into_iter().all(|entry| entry.is_ok_and(own));
        if empty || has_sweep(folder) || ComparisonManifest::read(folder).is_ok() {
            return Ok(());
        }
        if begun.elapsed() > LATE {
            let text = "it holds something else than a comparison".to_string();
            return Err(output(folder, text, REMEDY));
        }
        std::thread::sleep(LATE / 10);
    }
}
