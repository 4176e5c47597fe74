//! The terminal while it is a screen.

use std::io::{self, IsTerminal};

use ratatui::{DefaultTerminal, Frame};

use crate::error::{Error, Result};

/// The terminal as a screen, and as it was before once this is dropped, or where the program panics.
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// That there is a terminal to draw on and to read keys from; `key = value` is what asked for it.
    ///
    /// # Errors
    /// [`Error::Setting`] with `remedy`.
    pub fn check(key: &str, value: &str, remedy: &str) -> Result<()> {
        let missing = match (io::stdin().is_terminal(), io::stdout().is_terminal()) {
            (true, true) => return Ok(()),
            (_, false) => "standard output is no terminal, and this draws on one",
            (false, true) => "standard input is no terminal, and keys are read from one",
        };
        Err(Error::setting(key, value, missing, remedy))
    }

    /// Takes the terminal.
    ///
    /// # Errors
    /// What the terminal does not do.
    pub fn enter() -> io::Result<Self> {
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                ratatui::restore();
                Err(error)
            }
        }
    }

    /// Draws a picture anew; what has not changed is not sent.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.terminal.draw(picture).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.terminal.show_cursor();
        ratatui::restore();
    }
}
