//! One request and its answer for each connection.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A request whose head is longer is refused, or has more lines.
const LONGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// Of every answer: nothing is kept, guessed at, framed or shared.
const HEADERS: &str = "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
                       X-Frame-Options: DENY\r\nCross-Origin-Resource-Policy: same-origin\r\n\
                       Referrer-Policy: no-referrer\r\n";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub method: String,
    /// The path, and what stands behind a question mark.
    pub path: String,
    pub query: String,
    /// The `Host` that is meant; `None` where there is none, or several.
    pub host: Option<String>,
}

/// Reads the head of a request, for no longer than `patience`. `None` for what is no request.
///
/// # Errors
/// What the connection reports, or that it took too long.
pub(super) fn read(stream: &mut TcpStream, patience: Duration) -> io::Result<Option<Request>> {
    let end = Instant::now() + patience;
    let mut head = Vec::new();
    let mut part = [0; 2048];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let length = stream.read(&mut part)?;
        head.extend(&part[..length]);
        match parse(&head) {
            Ok(None) if length > 0 && head.len() < LONGEST_HEAD => {}
            parsed => return Ok(parsed.unwrap_or(None)),
        }
    }
}

/// The request that a text begins with; `None` where its head is not all there.
fn parse(head: &[u8]) -> Result<Option<Request>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(head)?.is_partial() {
        return Ok(None);
    }
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut hosts = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case("host"));
    let host = hosts.next().filter(|_| hosts.next().is_none());
    let host = host.and_then(|host| std::str::from_utf8(host.value).ok());
    Ok(Some(Request {
        method: request.method.unwrap_or_default().to_string(),
        path: path.to_string(),
        query: query.to_string(),
        host: host.map(|host| host.trim().to_string()),
    }))
}

/// Sends a whole answer, without its body to a `HEAD`.
///
/// # Errors
/// What the connection reports.
pub(super) fn send(
    stream: &mut TcpStream,
    request: &Request,
    status: &str,
    kind: &str,
    body: &[u8],
) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n");
    stream.write_all(format!("{head}{HEADERS}\r\n").as_bytes())?;
    if request.method != "HEAD" {
        stream.write_all(body)?;
    }
    stream.flush()
}

/// Begins an answer of server-sent events, which ends when the connection does.
///
/// # Errors
/// What the connection reports.
pub(super) fn begin_events(stream: &mut TcpStream) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{HEADERS}\r\n");
    stream.write_all(head.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_off() {
        let whole = "GET /growth?held=1 HTTP/1.1\r\nHost:  localhost:80 \r\nAccept: */*\r\n\r\n";
        let request = parse(whole.as_bytes()).unwrap().unwrap();
        assert_eq!((&request.path[..], &request.query[..]), ("/growth", "held=1"));
        assert_eq!(request.host.as_deref(), Some("localhost:80"));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole.as_bytes()[..end]), Ok(None), "{end}");
        }
        let without = parse(b"GET / HTTP/1.0\r\n\r\n").unwrap().unwrap();
        assert_eq!((without.host, &without.query[..]), (None, ""));
        let twice = b"GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n";
        assert_eq!(parse(twice).unwrap().unwrap().host, None);
        assert!(parse(b"\x16\x03\x01\x02\x00\x01").is_err());
        assert!(parse(b"GET / SPDY/3\r\n\r\n").is_err());
    }
}
