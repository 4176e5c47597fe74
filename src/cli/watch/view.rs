//! What its user has chosen to see.

use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::style::{Color, Style};

use super::curve::Scale;
use super::watched::Watched;

/// Fewer steps are not shown.
const FEWEST: usize = 10;

/// Axes, the steps that are shown, and what lies above.
#[derive(Debug)]
pub(super) struct View {
    pub loss: Scale,
    pub curvature: Scale,
    /// How many of the last steps are shown; `None` for all.
    last: Option<usize>,
    pub help: bool,
    /// In place of the keys.
    pub note: Option<String>,
    has_color: bool,
}

/// What a key asks for that a view does not do itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The view is another.
    Nothing,
    /// To leave what is open (Esc).
    Leave,
    /// To leave the program (q).
    Quit,
    /// Ctrl-C.
    Interrupt,
    Up,
    Down,
    Enter,
}

impl View {
    pub fn new() -> Self {
        // https://no-color.org
        let has_color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            loss: Scale::Logarithmic,
            curvature: Scale::Linear,
            last: None,
            help: false,
            note: None,
            has_color,
        }
    }

    /// That colour, if colours are wanted.
    pub fn colored(&self, color: Color) -> Style {
        if self.has_color { Style::new().fg(color) } else { Style::new() }
    }

    /// The steps that are shown: the first, and the one behind the last.
    pub fn steps(&self, watched: &Watched) -> (usize, usize) {
        let first = watched.points.first().map_or(0, |point| point.step);
        let to = watched.taken();
        (self.last.map_or(first, |last| to.saturating_sub(last).max(first)), to)
    }

    /// Does what an event of the terminal asks for, or says what that is.
    pub fn take(&mut self, event: &Event, watched: Option<&Watched>) -> Asked {
        let Event::Key(key) = event else { return Asked::Nothing };
        if key.kind == KeyEventKind::Release {
            return Asked::Nothing;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c' | 'C') => Asked::Interrupt,
                _ => Asked::Nothing,
            };
        }
        let taken = watched.map_or(0, Watched::taken);
        match key.code {
            KeyCode::Char('q' | 'Q') => return Asked::Quit,
            KeyCode::Esc if self.help => self.help = false,
            KeyCode::Esc => return Asked::Leave,
            KeyCode::Char('l' | 'L') => self.loss = self.loss.other(),
            KeyCode::Char('s' | 'S') => self.curvature = self.curvature.other(),
            KeyCode::Char('+' | '=') => {
                let now = self.last.unwrap_or(taken).min(taken);
                self.last = Some((now / 2).max(FEWEST));
            }
            KeyCode::Char('-') => {
                self.last = self.last.map(|last| 2 * last).filter(|last| *last < taken);
            }
            KeyCode::Char('0') => self.last = None,
            KeyCode::Char('?' | 'h') => self.help = !self.help,
            KeyCode::Up | KeyCode::Char('k') => return Asked::Up,
            KeyCode::Down | KeyCode::Char('j') => return Asked::Down,
            KeyCode::Enter => return Asked::Enter,
            _ => {}
        }
        Asked::Nothing
    }
}
