//! Server-sent events: what comes to the runs of a page.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tiny_http::Request;

use super::Served;
use super::answer::{header_lines, say};
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

/// Sends what comes, until the client is gone, or is told to fetch the page anew. What it does not read stays in the
/// runs' files, and nowhere else.
pub(super) fn follow(request: Request, served: &Served, held: &[Held]) {
    let Some(_place) = Place::take() else {
        return say(request, 503, "Too many pages follow already.\n");
    };
    let mut follower = match Follower::new(&served.runs, held) {
        Ok(follower) => follower,
        Err(error) => return say(request, 500, &format!("{error}\n")),
    };
    let _ = send(&mut request.into_writer(), &mut follower);
}

fn send(out: &mut impl Write, follower: &mut Follower) -> io::Result<()> {
    let headers = header_lines();
    write!(
        out,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n{headers}\r\n"
    )?;
    out.flush()?;
    let mut sent = Instant::now();
    loop {
        let news = match follower.look() {
            Ok(news) => news,
            Err(error) => {
                let text = serde_json::Value::from(error.to_string());
                write!(out, "event: failed\ndata: {text}\n\n")?;
                return out.flush();
            }
        };
        for news in &news {
            match news {
                News::Rows(rows) => write!(out, "event: rows\ndata: {rows}\n\n")?,
                News::Page => {
                    write!(out, "event: page\ndata: 1\n\n")?;
                    return out.flush();
                }
            }
        }
        if !news.is_empty() || sent.elapsed() >= SIGN_OF_LIFE {
            write!(out, ": still here\n\n")?;
            out.flush()?;
            sent = Instant::now();
        }
        std::thread::sleep(LOOK);
    }
}
