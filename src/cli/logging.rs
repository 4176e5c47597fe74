//! What goes to the terminal: messages, logs that do not break a progress bar, and the bar itself.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::args::Verbosity;

/// Standard error, shared by messages, logs and progress bars.
#[derive(Clone)]
pub(super) struct Terminal {
    bars: MultiProgress,
    verbosity: Verbosity,
}

impl Terminal {
    /// Sets up logging too; call it once.
    pub fn new(verbosity: Verbosity) -> Self {
        let target = match verbosity {
            Verbosity::Quiet => ProgressDrawTarget::hidden(),
            _ => ProgressDrawTarget::stderr(),
        };
        let terminal = Self { bars: MultiProgress::with_draw_target(target), verbosity };
        terminal.start_logging();
        terminal
    }

    fn start_logging(&self) {
        let filter = match self.verbosity {
            Verbosity::Quiet | Verbosity::Normal => return,
            Verbosity::Verbose => "warn,sharpscope=debug",
            Verbosity::Debug => "info,sharpscope=trace,wgpu=info,cubecl_wgpu=info",
        };
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(io::stderr().is_terminal())
            .with_writer(self.clone())
            .finish();
        // Both fail only where logging is set up already.
        let _ = tracing::subscriber::set_global_default(subscriber);
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
            // A closed pipe is the reader's choice.
            let _ = writeln!(io::stdout(), "{line}");
        }
    }

    fn print(&self, line: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
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
        self.terminal.bars.suspend(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
