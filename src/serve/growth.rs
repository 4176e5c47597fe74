//! Server-sent events: what comes to the runs of a page.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Served;
use super::http::begin_events;
use crate::error::Result;
use crate::report::{Follower, Held, News};

/// Between two looks at the runs.
const LOOK: Duration = Duration::from_millis(500);
/// A line is sent this often, so that a client that went away is noticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Pages that are followed at once.
const MOST_PAGES: usize = 64;

static PAGES: AtomicUsize = AtomicUsize::new(0);

/// One of the pages that are followed.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let taken = |pages: usize| (pages < MOST_PAGES).then_some(pages + 1);
        PAGES.fetch_update(Ordering::SeqCst, Ordering::SeqCst, taken).ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        PAGES.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A page that is followed.
pub(super) struct Following {
    follower: Follower,
    _place: Place,
}

impl Following {
    /// For a page that holds this of each of its runs; `None` where too many are followed.
    ///
    /// # Errors
    /// As [`Follower::new`].
    pub fn begin(served: &Served, held: &[Held]) -> Result<Option<Self>> {
        let Some(place) = Place::take() else { return Ok(None) };
        Ok(Some(Self { follower: Follower::new(&served.runs, held)?, _place: place }))
    }

    /// Sends what comes, until the client is gone, or is told to fetch the page anew. What it does not read stays in
    /// the runs' files, and nowhere else.
    ///
    /// # Errors
    /// What the connection reports.
    pub fn send(mut self, out: &mut TcpStream) -> io::Result<()> {
        begin_events(out)?;
        let mut sent = Instant::now();
        loop {
            let news = match self.follower.look() {
                Ok(news) => news,
                Err(error) => {
                    let text = serde_json::Value::from(error.to_string());
                    return write!(out, "event: failed\ndata: {text}\n\n");
                }
            };
            for news in &news {
                match news {
                    News::Rows(rows) => {
                        out.write_all(format!("event: rows\ndata: {rows}\n\n").as_bytes())?;
                    }
                    News::Page => return out.write_all(b"event: page\ndata: 1\n\n"),
                }
            }
            if !news.is_empty() || sent.elapsed() >= SIGN_OF_LIFE {
                out.write_all(b": still here\n\n")?;
                sent = Instant::now();
            }
            std::thread::sleep(LOOK);
        }
    }
}
