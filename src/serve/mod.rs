//! A report page over HTTP, for browsers on this machine unless its user says otherwise. The page follows its
//! runs by server-sent events.
//!
//! There are two things to ask for, `/` and `/growth`; no path leads to a file. Requests that name another host are
//! refused, so that a page from elsewhere cannot read this one by a name of its own for this machine.

mod answer;
mod growth;
mod hosts;

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::answer::answer;
use self::hosts::Hosts;
use crate::error::{Error, Result, reason};

/// A client that takes nothing for so long is left.
const PATIENCE: Duration = Duration::from_secs(10);
/// A page is handed out again for so long.
const FRESH: Duration = Duration::from_secs(1);
/// Requests that are answered at once.
const MOST_REQUESTS: usize = 128;

/// Makes the page.
pub type MakePage = Box<dyn Fn() -> Result<String> + Send + Sync>;

/// A server that listens.
pub struct Server {
    http: tiny_http::Server,
    address: SocketAddr,
    hosts: Hosts,
}

/// What is served.
struct Served {
    page: MakePage,
    /// The last one, and when it was made.
    made: Mutex<Option<(Instant, Arc<[u8]>)>>,
    runs: Vec<PathBuf>,
    hosts: Hosts,
}

impl Server {
    /// Listens at a host's address and a port, 0 for any that is free.
    ///
    /// # Errors
    /// [`Error::Setting`] for a host without an address, or a port that is taken.
    pub fn bind(host: &str, port: u16) -> Result<Self> {
        let refused = |e: std::io::Error| {
            let problem = format!("it cannot be listened at ({})", reason(&e));
            Error::setting("host", host, problem, "give an address of this machine, as 127.0.0.1")
        };
        let address = (host, port).to_socket_addrs().map_err(refused)?.next();
        let address = address.ok_or_else(|| refused(std::io::ErrorKind::NotFound.into()))?;
        let listener = TcpListener::bind(address).map_err(|e| match e.kind() {
            std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied => {
                let problem = format!("it cannot be listened at ({})", reason(&e));
                Error::setting("port", port, problem, "give another, or 0 for one that is free")
            }
            _ => refused(e),
        })?;
        // What is accepted there inherits it: a client that never reads is left, and does not hold a thread.
        let socket = socket2::SockRef::from(&listener);
        let _ = socket.set_write_timeout(Some(PATIENCE));
        let address = listener.local_addr().map_err(refused)?;
        let http = tiny_http::Server::from_listener(listener, None);
        let http = http.map_err(|e| refused(std::io::Error::other(e.to_string())))?;
        Ok(Self { http, address, hosts: Hosts::of(host, address.ip()) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether others than this machine can reach it.
    pub fn is_open(&self) -> bool {
        !self.address.ip().is_loopback()
    }

    /// Answers until it is told to end. The page is about `runs`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot listen any more.
    pub fn serve(&self, runs: &[PathBuf], page: MakePage, end: &AtomicBool) -> Result<()> {
        let (made, hosts) = (Mutex::default(), self.hosts.clone());
        let served = Arc::new(Served { page, made, runs: runs.to_vec(), hosts });
        // One for each request under way.
        let busy = Arc::new(());
        while !end.load(Ordering::SeqCst) {
            if Arc::strong_count(&busy) > MOST_REQUESTS {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            let request = self.http.recv_timeout(Duration::from_millis(200));
            let request = request.map_err(|source| Error::Io {
                action: "listen at",
                path: self.address.to_string().into(),
                source,
            })?;
            let Some(request) = request else { continue };
            let (served, busy) = (Arc::clone(&served), Arc::clone(&busy));
            std::thread::spawn(move || {
                answer(request, &served);
                drop(busy);
            });
        }
        Ok(())
    }
}

impl Served {
    /// The page as it is now, or was a moment ago: those who ask at once share it.
    fn page(&self) -> Result<Arc<[u8]>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, page)) = made.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(Arc::clone(page));
        }
        let page: Arc<[u8]> = (self.page)()?.into_bytes().into();
        *made = Some((Instant::now(), Arc::clone(&page)));
        Ok(page)
    }
}
