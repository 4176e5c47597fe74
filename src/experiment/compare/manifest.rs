//! `comparison.json`: which runs a comparison is of, and how they stand.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::end::{ComparisonEnd, MemberStatus};
use super::plan::{Comparison, MANIFEST, Member, member_folder};
use crate::error::Result;
use crate::input;
use crate::rundir::{SCHEMA_VERSION, check_schema, now};

const REMEDY: &str = "name the folder of a 'sharpscope compare'";

/// A comparison as it is written down. A reader leaves alone the keys that it does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonManifest {
    /// Version of the files' layout.
    pub schema_version: u32,
    /// Version of sharpscope.
    pub version: String,
    /// Its name.
    pub name: String,
    /// When it started (RFC 3339).
    pub started: String,
    /// When it ended; null while it is under way or if it was killed.
    pub finished: Option<String>,
    /// The process exit code; null while it is under way or if it was killed.
    pub exit_code: Option<u8>,
    /// What is compared.
    pub settings: Vec<ListedSetting>,
    /// The runs.
    pub members: Vec<ListedMember>,
}

/// A setting of a [`ComparisonManifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedSetting {
    /// What sets it apart.
    pub label: String,
    /// Its folder.
    pub folder: String,
}

/// A run of a [`ComparisonManifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedMember {
    /// Its setting's label.
    pub setting: String,
    /// Its seed.
    pub seed: u64,
    /// Its run directory, from the comparison's folder.
    pub folder: String,
    /// `completed`, `diverged`, `failed`, `unfinished`, `running` or `missing`.
    pub status: String,
    /// Why it failed.
    pub error: Option<String>,
}

impl ComparisonManifest {
    /// What `comparison.json` in a folder says.
    ///
    /// # Errors
    /// [`crate::Error::File`] if it cannot be read or understood.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let manifest: Self = input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY)?;
        check_schema(manifest.schema_version, &path)?;
        Ok(manifest)
    }

    /// Of a comparison that began at `started`, and has ended so if it has.
    pub(super) fn of(comparison: &Comparison, started: &str, end: Option<&ComparisonEnd>) -> Self {
        let status =
            |index: usize| end.map_or(&MemberStatus::Unfinished, |end| &end.statuses[index]);
        let listed = comparison.members.iter().enumerate();
        Self {
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION").to_string(),
            name: comparison.name.clone(),
            started: started.to_string(),
            finished: end.filter(|end| end.is_over()).map(|_| now()),
            exit_code: end.filter(|end| end.is_over()).map(ComparisonEnd::exit_code),
            settings: comparison
                .settings
                .iter()
                .map(|s| ListedSetting { label: s.label.clone(), folder: s.slug.clone() })
                .collect(),
            members: listed
                .map(|(i, member)| listed_member(comparison, member, status(i)))
                .collect(),
        }
    }
}

fn listed_member(comparison: &Comparison, member: &Member, status: &MemberStatus) -> ListedMember {
    let setting = &comparison.settings[member.setting];
    ListedMember {
        setting: setting.label.clone(),
        seed: member.config.seed,
        folder: member_folder(setting, member.config.seed),
        status: status.name().to_string(),
        error: match status {
            MemberStatus::Failed { reason } => Some(reason.clone()),
            _ => None,
        },
    }
}
