//! What goes to the terminal: messages, logs that do not break a progress bar, and the bar itself.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};

use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::args::Verbosity;
use crate::error::{Error, Result};

/// Standard error, shared by messages, logs and progress bars.
#[derive(Clone)]
pub(super) struct Terminal {
    bars: MultiProgress,
    verbosity: Verbosity,
    /// What kept standard output from being written.
    lost: Arc<Mutex<Option<io::Error>>>,
    /// Lines that wait while a screen is drawn on the terminal.
    held: Arc<Mutex<Option<Vec<String>>>>,
}

/// Lines wait until this is dropped, and are printed then.
pub(super) struct Held(Terminal);

impl Drop for Held {
    fn drop(&mut self) {
        let lines = self.0.held.lock().ok().and_then(|mut held| held.take());
        lines.into_iter().flatten().for_each(|line| self.0.print(&line));
    }
}

/// So many of the latest lines are kept for then.
const MOST_HELD: usize = 1000;

impl Terminal {
    /// Sets up logging too; call it once.
    pub fn new(verbosity: Verbosity) -> Self {
        let target = match verbosity {
            Verbosity::Quiet => ProgressDrawTarget::hidden(),
            _ => ProgressDrawTarget::stderr(),
        };
        let bars = MultiProgress::with_draw_target(target);
        let terminal = Self { bars, verbosity, lost: Arc::default(), held: Arc::default() };
        terminal.start_logging();
        terminal
    }

    fn start_logging(&self) {
        let filter = match self.verbosity {
            Verbosity::Quiet => return,
            Verbosity::Normal => "off,sharpscope=warn",
            Verbosity::Verbose => "warn,sharpscope=debug",
            Verbosity::Debug => "info,sharpscope=trace,wgpu=info,cubecl_wgpu=info",
        };
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(io::stderr().is_terminal())
            .with_writer(self.clone());
        // Both fail only where logging is set up already.
        let _ = match self.verbosity {
            Verbosity::Normal => {
                tracing::subscriber::set_global_default(subscriber.event_format(Plain).finish())
            }
            _ => tracing::subscriber::set_global_default(subscriber.finish()),
        };
        let _ = tracing_log::LogTracer::init();
    }

    /// Whether progress is worth drawing as a bar.
    pub fn is_interactive(&self) -> bool {
        self.verbosity != Verbosity::Quiet && io::stderr().is_terminal()
    }

    /// Where bars are drawn.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// A line for the user on standard error, unless quiet.
    pub fn note(&self, line: &str) {
        if self.verbosity != Verbosity::Quiet {
            self.print(line);
        }
    }

    /// An error, which quiet does not silence.
    pub fn error(&self, message: &str) {
        self.print(&format!("error: {message}"));
    }

    /// A result on standard output, unless quiet.
    pub fn result(&self, line: &str) {
        if self.verbosity != Verbosity::Quiet {
            self.output(&format!("{line}\n"));
        }
    }

    /// What was asked for on standard output, quiet or not. Returns whether it is worth going on.
    pub fn output(&self, text: &str) -> bool {
        let mut out = io::stdout().lock();
        self.note_loss(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    /// What was asked for as JSON, with nothing else on standard output, quiet or not.
    ///
    /// # Errors
    /// [`Error::Encode`] if it is no JSON.
    pub fn json(&self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| Error::Encode { what: "JSON", reason: e.to_string() })?;
        self.output(&format!("{text}\n"));
        Ok(())
    }

    /// Whether all of standard output was written, or its reader did not want more.
    ///
    /// # Errors
    /// What kept it from being written.
    pub fn written(&self) -> io::Result<()> {
        match self.lost.lock().ok().and_then(|mut lost| lost.take()) {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    fn note_loss(&self, written: io::Result<()>) -> bool {
        let Err(error) = written else { return true };
        if let Ok(mut lost) = self.lost.lock() {
            lost.get_or_insert(error);
        }
        false
    }

    /// Has lines wait.
    pub fn hold(&self) -> Held {
        if let Ok(mut held) = self.held.lock() {
            held.get_or_insert_default();
        }
        Held(self.clone())
    }

    fn print(&self, line: &str) {
        if let Ok(mut held) = self.held.lock()
            && let Some(lines) = held.as_mut()
        {
            if lines.len() == MOST_HELD {
                lines.remove(0);
            }
            lines.push(line.to_string());
            return;
        }
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }
}

/// Warnings in the words of the program's other lines.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        write!(writer, "warning: ")?;
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

impl<'a> MakeWriter<'a> for Terminal {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> LogLine<'a> {
        LogLine { terminal: self }
    }
}

/// One log line: the bar is taken away while it is printed.
pub(super) struct LogLine<'a> {
    terminal: &'a Terminal,
}

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.terminal.print(text.strip_suffix('\n').unwrap_or(&text));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
