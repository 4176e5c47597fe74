//! The page that leads to the pages of demonstrations.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::page::{STYLE, escaped};
use super::{DEMOS, Demo};
use crate::error::{Error, Result};
use crate::input::read_text;
use crate::rundir::write_at_once;

const NAME: &str = "index.html";
/// What tells ours from somebody else's file of that name.
const MARK: &str = "<!-- demonstrations of sharpscope -->";
const REMEDY: &str = "make the demonstration anew with --force";

/// `index.html` in a folder of demonstrations.
#[derive(Debug)]
pub struct Gallery {
    folder: PathBuf,
}

impl Gallery {
    /// That of the folder, in which it need not be yet.
    ///
    /// # Errors
    /// [`Error::Output`] where a file of that name is somebody else's.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let ours = |path| read_text(path, REMEDY).is_ok_and(|text| text.contains(MARK));
        if path.exists() && !ours(&path) {
            let problem = "it is no page of demonstrations".to_string();
            let remedy = "choose another folder with --out".to_string();
            return Err(Error::Output { path, problem, remedy });
        }
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// Writes it: each demonstration that is there, with its definition, how many of its numbers are those of theory, and its
    /// first picture. Returns where it is.
    ///
    /// # Errors
    /// [`Error::File`] for a demonstration that cannot be read; [`Error::Io`].
    pub fn write(self) -> Result<PathBuf> {
        let mut html = format!(
            "<!doctype html>\n{MARK}\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>The lesson</title>\
             <style>{STYLE}</style></head><body>\n<h1>The lesson</h1>\n"
        );
        for demo in DEMOS {
            if self.folder.join(demo.name).join("page.html").is_file() {
                html += &self.entry(demo)?;
            }
        }
        html += "</body></html>\n";
        let path = self.folder.join(NAME);
        write_at_once(&path, html.as_bytes())?;
        Ok(path)
    }

    fn entry(&self, demo: &Demo) -> Result<String> {
        let text = |file| read_text(&self.folder.join(demo.name).join(file), REMEDY);
        let [page, table] = [text("page.html")?, text("checks.csv")?];
        let rows = || table.lines().skip(1);
        let held = rows().filter(|row| row.ends_with(",true")).count();
        let (name, title) = (demo.name, escaped(demo.title));
        let mut entry = format!("<h2><a href=\"{name}/page.html\">{title}</a></h2>\n");
        let definition = escaped(demo.definition);
        let written = writeln!(
            entry,
            "<p>{definition}</p>\n<p>{held} of {} numbers are those of theory.</p>",
            rows().count()
        );
        debug_assert!(written.is_ok(), "text can be written to");
        let picture = page.split_once("src=\"").and_then(|(_, rest)| rest.split_once('"'));
        if let Some((picture, _)) = picture {
            entry += &format!("<p><img src=\"{name}/{picture}\" alt=\"{title}\"></p>\n");
        }
        Ok(entry)
    }
}
