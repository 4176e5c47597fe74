//! The program as its user runs it: in folders of its own, with what it printed and what it wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Two folders: one that the program runs in, and one with files for it, called `@` in arguments.
pub struct Place {
    pub cwd: TempDir,
    pub files: TempDir,
}

/// How a run of the program ended.
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Everything in some folders: path and content, none for a folder.
pub type Snapshot = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Vulkan's loader finds no driver in this environment.
pub const NO_DRIVER: [(&str, &str); 2] =
    [("VK_ICD_FILENAMES", "/nonexistent"), ("VK_DRIVER_FILES", "/nonexistent")];

/// What is in the folder of a run that ended, besides its checkpoints.
pub const RUN_FILES: [&str; 7] = [
    "events.jsonl",
    "init.safetensors",
    "manifest.json",
    "sharpness.png",
    "sharpness.svg",
    "steps.csv",
    "summary.json",
];

/// No test waits longer for a process, or for what it writes.
pub const PATIENCE: Duration = Duration::from_secs(120);

impl Place {
    pub fn new() -> Self {
        Self { cwd: TempDir::new().unwrap(), files: TempDir::new().unwrap() }
    }

    /// Writes a file that arguments can name as `@/name`.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.files.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// The path of a file or folder that the program made where it ran.
    pub fn made(&self, name: &str) -> PathBuf {
        self.cwd.path().join(name)
    }

    /// Words as arguments, with `@` for the folder of files.
    pub fn arguments(&self, words: &str) -> Vec<String> {
        let files = self.files.path().to_str().unwrap();
        words.split_whitespace().map(|word| word.replace("@/", &format!("{files}/"))).collect()
    }

    /// The program, hidden from graphics drivers so that the machine does not matter.
    pub fn program(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("sharpscope");
        command.current_dir(self.cwd.path()).timeout(PATIENCE).envs(NO_DRIVER);
        command
    }

    /// The program with this machine's graphics drivers.
    pub fn program_seeing_drivers(&self) -> assert_cmd::Command {
        let mut command = self.program();
        for (key, _) in NO_DRIVER {
            command.env_remove(key);
        }
        command
    }

    pub fn run(&self, words: &str) -> Done {
        Done::of(self.program().args(self.arguments(words)))
    }

    /// Runs and checks that it went well.
    pub fn run_well(&self, words: &str) -> Done {
        let done = self.run(words);
        assert_eq!(done.code, Some(0), "{words}: {}", done.err);
        done
    }

    /// Everything in both folders.
    pub fn snapshot(&self) -> Snapshot {
        let mut found = snapshot(self.cwd.path());
        found.append(&mut snapshot(self.files.path()));
        found
    }
}

/// Everything in a folder.
pub fn snapshot(folder: impl AsRef<Path>) -> Snapshot {
    let mut found = Snapshot::new();
    walk(folder.as_ref(), &mut found);
    found
}

fn walk(folder: &Path, found: &mut Snapshot) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
            found.insert(path, None);
        } else {
            let content = std::fs::read(&path).unwrap();
            found.insert(path, Some(content));
        }
    }
}

impl Done {
    pub fn of(command: &mut assert_cmd::Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one line that says why it was refused as wrong usage, or what is wrong with that.
    pub fn refusal(&self) -> Result<String, String> {
        let wrong = |what: &str| Err(format!("{what}: code {:?}, {:?}", self.code, self.err));
        let Some(line) = self.err.strip_suffix('\n').filter(|_| self.code == Some(2)) else {
            return wrong("not refused");
        };
        let remedy = line.rsplit_once("; ").map_or("", |(_, remedy)| remedy);
        match () {
            () if !self.out.is_empty() => wrong("a result is printed"),
            () if line.contains('\n') => wrong("more than one line"),
            () if line.contains(char::is_control) => wrong("control characters are printed"),
            () if !line.starts_with("error: ") => wrong("not marked as an error"),
            () if remedy.len() < 5 => wrong("no remedy"),
            () => Ok(line.to_string()),
        }
    }
}

/// Runs in a place with these files; what is refused must leave it as it was, and the message must
/// have these parts (in any case).
pub fn refused(files: &[(&str, &str)], words: &str, parts: &[&str]) -> Result<(), String> {
    let place = Place::new();
    for (name, content) in files {
        place.file(name, content);
    }
    let before = place.snapshot();
    let wrong = |what: String| format!("{words} with {files:?}: {what}");
    let line = place.run(words).refusal().map_err(wrong)?;
    for part in parts {
        let part = place.arguments(part).join(" ");
        if !line.to_lowercase().contains(&part.to_lowercase()) {
            return Err(wrong(format!("no '{part}' in: {line}")));
        }
    }
    let kept = place.snapshot() == before;
    kept.then_some(()).ok_or_else(|| wrong("something was written".to_string()))
}

/// Flags or a file's content, and the parts of the message that refuses it.
pub type Case<'a> = (&'a str, &'a [&'a str]);

/// Each case is flags behind `command`.
pub fn all_flags_refused(command: &str, cases: &[Case]) {
    let refused =
        |(flags, parts): &Case| refused(&[], &format!("{command} --out new {flags}"), parts);
    all(cases.iter().map(refused));
}

/// Each case is what is in the file `name`, which `flag` of `command` names.
pub fn all_files_refused(name: &str, command: &str, flag: &str, cases: &[Case]) {
    let words = format!("{command} --out new {flag} @/{name}");
    all(cases.iter().map(|(content, parts)| refused(&[(name, content)], &words, parts)));
}

/// Fails with all that is wrong.
pub fn all(cases: impl IntoIterator<Item = Result<(), String>>) {
    let wrong: Vec<String> = cases.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn json_file(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

/// What a folder holds, in the order of the names.
pub fn names_in(folder: impl AsRef<Path>) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A CSV file without quotes.
pub struct Table {
    pub header: String,
    pub rows: Vec<BTreeMap<String, String>>,
}

/// Columns that hold wall-clock times.
pub const TIMES: [&str; 2] = ["step_ms", "curvature_ms"];

impl Table {
    /// `steps.csv` in a run directory; every row must have as many cells as the header.
    pub fn of(run: impl AsRef<Path>) -> Self {
        Self::read(run.as_ref().join("steps.csv"))
    }

    pub fn read(path: impl AsRef<Path>) -> Self {
        let text = read(path);
        assert!(text.ends_with('\n'), "the last row is cut off");
        Self::parse(&text)
    }

    pub fn parse(text: &str) -> Self {
        let (header, body) = text.split_once('\n').unwrap();
        let names: Vec<&str> = header.split(',').collect();
        let row = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), names.len(), "{line}");
            let owned = names.iter().zip(cells).map(|(n, c)| (n.to_string(), c.to_string()));
            owned.collect()
        };
        Self { header: header.to_string(), rows: body.lines().map(row).collect() }
    }

    pub fn cell(&self, row: usize, name: &str) -> &str {
        self.rows[row].get(name).unwrap_or_else(|| panic!("no column {name}"))
    }

    pub fn number(&self, row: usize, name: &str) -> f64 {
        let cell = self.cell(row, name);
        cell.parse().unwrap_or_else(|_| panic!("{name} in row {row}: '{cell}'"))
    }

    /// The numbers of a column, where it has any.
    pub fn column(&self, name: &str) -> Vec<f64> {
        let cells = (0..self.rows.len()).filter(|&row| !self.cell(row, name).is_empty());
        cells.map(|row| self.number(row, name)).collect()
    }

    /// The table without wall-clock times.
    pub fn untimed(mut self) -> Self {
        for row in &mut self.rows {
            row.retain(|name, _| !TIMES.contains(&name.as_str()));
        }
        self
    }
}

/// Width and height of a PNG, of which beginning and end are checked.
pub fn png_size(path: impl AsRef<Path>) -> (u32, u32) {
    let png = std::fs::read(path).unwrap();
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[png.len() - 8..png.len() - 4], *b"IEND");
    let pixels = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (pixels(16), pixels(20))
}

/// The text elements of an SVG whose tags are checked to be balanced and whose text to be escaped.
pub fn svg_texts(svg: &str) -> Vec<String> {
    let (mut open, mut texts) = (Vec::new(), Vec::new());
    for part in svg.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag is not closed");
        let name = tag.split_whitespace().next().unwrap();
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        let plain = unescape(text);
        if name == "text" {
            texts.push(plain.trim().to_string());
        }
    }
    assert!(open.is_empty(), "{open:?} are left open");
    texts
}

fn unescape(text: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'")];
    let bare = entities.iter().fold(text.to_string(), |text, (entity, _)| text.replace(entity, ""));
    assert!(!bare.replace("&amp;", "").contains(['&', '>']), "not escaped: {text}");
    let plain = entities.iter().fold(text.to_string(), |text, (entity, c)| text.replace(entity, c));
    plain.replace("&amp;", "&")
}

/// The program under way, while others look at what it writes or end it.
pub mod running {
    use std::process::{Child, Command, Stdio};
    use std::time::Instant;

    use super::*;

    /// A process; it does not outlive a failed test.
    pub struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    impl Running {
        pub fn start(place: &Place, words: &str) -> Self {
            let program = assert_cmd::cargo::cargo_bin!("sharpscope");
            let mut command = Command::new(program);
            // What is ignored where the tests were started is not to be ignored by the program.
            if cfg!(target_os = "linux") {
                command = Command::new("env");
                command.arg("--default-signal=HUP,INT,TERM,USR1").arg(program);
            }
            let child = command
                .current_dir(place.cwd.path())
                .args(place.arguments(words))
                .envs(NO_DRIVER)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            Self(child)
        }

        /// Waits until `f` gives something, or fails.
        fn wait_for<T>(&mut self, what: &str, mut f: impl FnMut(&mut Self) -> Option<T>) -> T {
            let started = Instant::now();
            loop {
                if let Some(found) = f(self) {
                    return found;
                }
                assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
                std::thread::sleep(Duration::from_millis(10));
            }
        }

        /// Waits until it has made a file.
        pub fn wait_for_file(&mut self, path: &Path) {
            let what = path.display().to_string();
            self.wait_for(&what, |_| path.exists().then_some(()));
        }

        /// Waits until a table has so many rows, and says how many it has then.
        #[cfg(unix)]
        pub fn wait_for_rows(&mut self, table: &Path, rows: usize) -> usize {
            let what = format!("{rows} rows in {}", table.display());
            self.wait_for(&what, |_| {
                let text = std::fs::read_to_string(table).unwrap_or_default();
                let found = text.matches('\n').count().saturating_sub(1);
                (found >= rows).then_some(found)
            })
        }

        /// Waits for the end.
        #[cfg(unix)]
        pub fn wait(&mut self) -> std::process::ExitStatus {
            self.wait_for("the end", |running| running.0.try_wait().unwrap())
        }

        /// Sends a signal, and waits for the end.
        #[cfg(unix)]
        pub fn signal(&mut self, name: &str) -> std::process::ExitStatus {
            let id = self.0.id().to_string();
            let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
            assert!(sent.success());
            self.wait()
        }
    }
}
