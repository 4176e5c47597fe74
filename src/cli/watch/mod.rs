//! `sharpscope watch`, and `run --watch`: a run on the terminal while it goes on.

mod comparison;
mod curve;
mod followed;
mod observer;
mod screen;
mod terminal;
mod view;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use ratatui::Frame;
use ratatui::crossterm::event::{poll, read};

use self::comparison::Members;
use self::followed::Followed;
pub(super) use self::observer::LiveScreen;
use self::terminal::Screen;
use self::view::{Asked, View};
use super::logging::Terminal;
use super::signals::watch_for_interrupts;
use crate::error::Result;
use crate::experiment::compare::is_comparison;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_millis(250);
/// Ages and times are drawn anew so often, if nothing else is new.
const TICK: Duration = Duration::from_secs(1);

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// The run directory, of a run under way or ended, RUN@STEP for it as it stood then, or the folder of a
    /// comparison
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
}

/// Follows until its user leaves; returns the exit code.
pub(super) fn watch(args: &WatchArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let path = args.run.display().to_string();
    Screen::check("RUN", &path, "use 'sharpscope report', which writes a page, or read steps.csv")?;
    let mut subject = Subject::open(&args.run)?;
    subject.look()?;
    let interrupted = watch_for_interrupts();
    let held = terminal.hold();
    let end = follow(&mut subject, &interrupted);
    drop(held);
    end.map(|()| 0)
}

fn follow(subject: &mut Subject, interrupted: &AtomicBool) -> anyhow::Result<()> {
    let mut screen = Screen::enter()?;
    let mut view = View::new();
    let (mut looked, mut drawn) = (Instant::now(), None::<Instant>);
    while !interrupted.load(Ordering::SeqCst) {
        if drawn.is_none_or(|drawn| drawn.elapsed() >= TICK) {
            screen.draw(|frame| subject.draw(frame, &view))?;
            drawn = Some(Instant::now());
        }
        if poll(LOOK.saturating_sub(looked.elapsed()))? {
            if !subject.take(&mut view, &read()?) {
                break;
            }
            drawn = None;
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            if subject.look()? {
                drawn = None;
            }
        }
    }
    Ok(())
}

/// What is watched.
enum Subject {
    Run(Box<Followed>),
    Comparison(Members),
}

impl Subject {
    fn open(path: &Path) -> Result<Self> {
        Ok(match is_comparison(path) {
            true => Self::Comparison(Members::open(path)?),
            false => Self::Run(Box::new(Followed::open(path)?)),
        })
    }

    /// Takes what is new on disk; whether anything is.
    fn look(&mut self) -> Result<bool> {
        match self {
            Self::Run(run) => run.look(),
            Self::Comparison(members) => members.look(),
        }
    }

    fn draw(&mut self, frame: &mut Frame, view: &View) {
        if screen::too_small(frame) {
            return;
        }
        match self {
            Self::Run(run) => screen::run(frame, &run.watched, view),
            Self::Comparison(members) => members.draw(frame, view),
        }
    }

    /// Does what a key asks for; `false` where that is to leave.
    fn take(&mut self, view: &mut View, event: &ratatui::crossterm::event::Event) -> bool {
        match self {
            Self::Run(run) => {
                let asked = view.take(event, Some(&run.watched));
                !matches!(asked, Asked::Leave | Asked::Quit | Asked::Interrupt)
            }
            Self::Comparison(members) => {
                let asked = view.take(event, members.open_run());
                members.take(asked)
            }
        }
    }
}
