//! `run --watch`: the screen in place of the progress bar.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{poll, read};

use super::screen;
use super::terminal::Screen;
use super::view::{Asked, View};
use super::watched::Watched;
use crate::cli::logging::{Held, Terminal};
use crate::cli::progress::Progress;
use crate::error::{Error, Result};
use crate::profile::{Observer, RunInfo};
use crate::record::{Event, StepRow, Summary};

/// The run goes on beside it, so no picture is drawn sooner after another.
const PICTURE: Duration = Duration::from_millis(250);
/// Keys, and the run's end, wait no longer.
const PATIENCE: Duration = Duration::from_millis(40);

/// Draws a run while it goes on, from a thread of its own. q and Esc leave the screen to a progress bar; Ctrl-C
/// interrupts the run as it always does.
pub(in crate::cli) struct LiveScreen {
    terminal: Terminal,
    interrupted: Arc<AtomicBool>,
    shared: Arc<Shared>,
    /// To the screen, which takes its time where the terminal is slow.
    news: Option<Sender<News>>,
    thread: Option<JoinHandle<()>>,
    steps: usize,
    formula: Option<String>,
    bar: Option<Progress>,
}

/// What the screen is told.
enum News {
    Row(Box<StepRow>),
    Event(Box<Event>),
}

/// What the run and the screen both hold.
#[derive(Default)]
struct Shared {
    /// Whether the run has ended.
    end: AtomicBool,
    /// Whether the screen is no more.
    left: AtomicBool,
}

impl LiveScreen {
    /// That `run --watch` has a terminal to draw on.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check() -> Result<()> {
        Screen::check("watch", "true", "leave it out, and a line is printed now and then")
    }

    /// For a run that may be ended through `interrupted`.
    pub fn new(terminal: &Terminal, interrupted: &Arc<AtomicBool>) -> Self {
        Self {
            terminal: terminal.clone(),
            interrupted: Arc::clone(interrupted),
            shared: Arc::default(),
            news: None,
            thread: None,
            steps: 0,
            formula: None,
            bar: None,
        }
    }

    fn tell(&self, news: News) {
        if let Some(sender) = &self.news {
            // Nobody hears it where the screen is left.
            let _ = sender.send(news);
        }
    }

    /// The bar that took the place of a screen that its user has left.
    fn bar(&mut self) -> Option<&mut Progress> {
        let goes_on = !self.interrupted.load(Ordering::SeqCst);
        if !self.shared.left.load(Ordering::SeqCst) || (self.bar.is_none() && !goes_on) {
            return None;
        }
        let start = || Progress::start(&self.terminal, self.steps, self.formula.as_deref());
        Some(self.bar.get_or_insert_with(start))
    }

    fn close(&mut self) {
        self.shared.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic there has restored the terminal.
            let _ = thread.join();
        }
    }
}

impl Observer for LiveScreen {
    fn started(&mut self, run: &RunInfo) -> Result<()> {
        self.steps = run.steps.unwrap_or(0);
        self.formula = run.formula.clone();
        let watched = Watched::of(run);
        let held = self.terminal.hold();
        let screen = Screen::enter().map_err(|source| Error::Io {
            action: "draw on",
            path: "the terminal".into(),
            source,
        })?;
        let (shared, interrupted) = (Arc::clone(&self.shared), Arc::clone(&self.interrupted));
        let (sender, news) = channel();
        self.news = Some(sender);
        self.thread = Some(std::thread::spawn(move || {
            let _left = Left { shared: Arc::clone(&shared), _held: held };
            show(screen, watched, &news, &shared, &interrupted);
        }));
        Ok(())
    }

    fn row(&mut self, row: &StepRow) -> Result<()> {
        self.tell(News::Row(Box::new(row.clone())));
        self.bar().map_or(Ok(()), |bar| bar.row(row))
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        self.tell(News::Event(Box::new(event.clone())));
        self.bar().map_or(Ok(()), |bar| bar.event(event))
    }

    fn finished(&mut self, _: &Summary, _: Option<&Error>) -> Result<()> {
        self.close();
        Ok(())
    }
}

impl Drop for LiveScreen {
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells, when the screen is gone however it went, that it is.
struct Left {
    shared: Arc<Shared>,
    _held: Held,
}

impl Drop for Left {
    fn drop(&mut self) {
        self.shared.left.store(true, Ordering::SeqCst);
    }
}

/// Draws until the run has ended, its user leaves, or the terminal is no more.
fn show(
    mut screen: Screen,
    mut watched: Watched,
    news: &Receiver<News>,
    shared: &Shared,
    interrupted: &AtomicBool,
) {
    let mut view = View::new();
    view.note = Some("l s axes  + - 0 steps  ? help  q leave to a bar  Ctrl-C end the run".into());
    let mut drawn = None::<Instant>;
    while !shared.end.load(Ordering::SeqCst) && !interrupted.load(Ordering::SeqCst) {
        if drawn.is_none_or(|drawn| drawn.elapsed() >= PICTURE) {
            for news in news.try_iter() {
                match news {
                    News::Row(row) => watched.row(&row),
                    News::Event(event) => watched.event(&event),
                }
            }
            let picture = |frame: &mut ratatui::Frame| {
                if !screen::too_small(frame) {
                    screen::run(frame, &watched, &view);
                }
            };
            if screen.draw(picture).is_err() {
                return;
            }
            drawn = Some(Instant::now());
        }
        match poll(PATIENCE).and_then(|is_there| is_there.then(read).transpose()) {
            Ok(None) => {}
            Ok(Some(event)) => match view.take(&event, Some(&watched)) {
                Asked::Leave | Asked::Quit => return,
                Asked::Interrupt => interrupted.store(true, Ordering::SeqCst),
                _ => drawn = None,
            },
            Err(_) => return,
        }
    }
}
