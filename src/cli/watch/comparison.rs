//! The runs of a comparison, in a table; each can be opened.

use std::path::{Path, PathBuf};

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table, TableState};

use super::followed::Followed;
use super::screen;
use super::view::{Asked, View};
use super::watched::{Standing, Watched};
use crate::error::Result;
use crate::experiment::compare::{ComparisonManifest, ListedMember};
use crate::record::short;

const KEYS: &str = "↑ ↓ choose  Enter open, Esc back  ? help  q leave";
const HELP: &[(&str, &str)] = &[
    ("↑  ↓", "choose a run"),
    ("Enter", "open it"),
    ("Esc", "from a run back to this table; from here, leave"),
    ("?", "this help, and away with it"),
    ("q  Ctrl-C", "leave"),
];

/// A comparison's runs.
pub(super) struct Members {
    folder: PathBuf,
    manifest: ComparisonManifest,
    runs: Vec<Followed>,
    table: TableState,
    is_open: bool,
}

impl Members {
    /// The comparison in a folder.
    ///
    /// # Errors
    /// As [`ComparisonManifest::read`].
    pub fn open(folder: &Path) -> Result<Self> {
        let manifest = ComparisonManifest::read(folder)?;
        let runs = followed(folder, &manifest.members);
        let table = TableState::default().with_selected(0);
        Ok(Self { folder: folder.to_path_buf(), manifest, runs, table, is_open: false })
    }

    /// Takes what is new on disk; whether anything is.
    ///
    /// # Errors
    /// As [`Followed::look`] and [`ComparisonManifest::read`].
    pub fn look(&mut self) -> Result<bool> {
        let now = ComparisonManifest::read(&self.folder)?;
        let mut is_new = now != self.manifest;
        let folders = |manifest: &ComparisonManifest| -> Vec<String> {
            manifest.members.iter().map(|member| member.folder.clone()).collect()
        };
        if folders(&now) != folders(&self.manifest) {
            self.runs = followed(&self.folder, &now.members);
            self.is_open = false;
        }
        self.manifest = now;
        for run in &mut self.runs {
            is_new |= run.look()?;
        }
        Ok(is_new)
    }

    /// The run that is open, if one is.
    pub fn open_run(&self) -> Option<&Watched> {
        let index = self.table.selected().filter(|_| self.is_open)?;
        self.runs.get(index).map(|run| &run.watched)
    }

    /// Does what a key asks for; `false` where that is to leave.
    pub fn take(&mut self, asked: Asked) -> bool {
        let last = self.runs.len().saturating_sub(1);
        let at = self.table.selected().unwrap_or(0);
        match asked {
            Asked::Quit | Asked::Interrupt => return false,
            Asked::Leave if !self.is_open => return false,
            Asked::Leave => self.is_open = false,
            Asked::Up => self.table.select(Some(at.saturating_sub(1))),
            Asked::Down => self.table.select(Some((at + 1).min(last))),
            Asked::Enter => self.is_open = !self.runs.is_empty(),
            Asked::Nothing => {}
        }
        true
    }

    /// Draws the table, or the run that is open.
    pub fn draw(&mut self, frame: &mut Frame, view: &View) {
        if let Some(watched) = self.open_run() {
            screen::run(frame, watched, view);
            return;
        }
        let parts = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
        let [heading, body, footer] = Layout::vertical(parts).areas(frame.area());
        let ended =
            self.runs.iter().filter(|run| matches!(run.watched.standing, Standing::Ended(_)));
        let all = self.runs.len();
        let end = if self.manifest.exit_code.is_some() { ", ended" } else { ", under way" };
        let title = format!("{}: {} of {all} runs ended{end}", self.manifest.name, ended.count());
        let bold = Style::new().add_modifier(Modifier::BOLD);
        frame.render_widget(Line::styled(title, bold), heading);
        let members = self.manifest.members.iter().zip(&self.runs);
        let rows = members.map(|(member, run)| row(member, &run.watched, view));
        let setting = self.manifest.members.iter().map(|member| member.setting.chars().count());
        let widths = [
            Constraint::Length(setting.max().unwrap_or(0).clamp(7, 28) as u16),
            Constraint::Length(5),
            Constraint::Fill(1),
            Constraint::Length(9),
            Constraint::Length(10),
            Constraint::Length(10),
            Constraint::Length(6),
        ];
        let header = ["setting", "seed", "status", "step", "loss", "sharpness", "ratio"];
        let table = Table::new(rows, widths)
            .header(Row::new(header).style(bold))
            .highlight_symbol("> ")
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_stateful_widget(table, body, &mut self.table);
        screen::footer(frame, footer, view, KEYS);
        if view.help {
            screen::help(frame, HELP);
        }
    }
}

fn followed(folder: &Path, members: &[ListedMember]) -> Vec<Followed> {
    let name = |member: &ListedMember| format!("{}, seed {}", member.setting, member.seed);
    members.iter().map(|member| Followed::at(&folder.join(&member.folder), name(member))).collect()
}

fn row<'a>(member: &'a ListedMember, watched: &Watched, view: &View) -> Row<'a> {
    let value = |x: Option<f64>| x.map_or_else(|| "-".to_string(), short);
    let (word, color) = match watched.standing {
        // Its turn has not come.
        Standing::Waiting => ("not begun".to_string(), ratatui::style::Color::Reset),
        _ => screen::standing(watched),
    };
    let steps = watched.steps.map_or_else(String::new, |steps| format!("/{steps}"));
    let ratio = watched.latest(|point| point.ratio);
    Row::new([
        Cell::from(member.setting.as_str()),
        Cell::from(member.seed.to_string()),
        Cell::from(word).style(view.colored(color)),
        Cell::from(format!("{}{steps}", watched.taken())),
        Cell::from(value(watched.latest(|point| point.loss))),
        Cell::from(value(watched.latest(|point| point.sharpness))),
        Cell::from(ratio.map_or_else(|| "-".to_string(), |ratio| format!("{ratio:.3}"))),
    ])
}
