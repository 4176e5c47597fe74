//! What a request gets.

use std::io;
use std::net::TcpStream;

use super::http::{self, Request};
use super::{PATIENCE, Served, growth};
use crate::report::Held;

/// Answers the request of a connection.
///
/// # Errors
/// What the connection reports: that its client has gone, or reads nothing.
pub(super) fn answer(mut stream: TcpStream, served: &Served) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(request) = http::read(&mut stream, PATIENCE)? else { return Ok(()) };
    let mut say = |status: &str, text: &str| {
        let kind = "text/plain; charset=utf-8";
        http::send(&mut stream, &request, status, kind, text.as_bytes())
    };
    if !request.host.as_ref().is_some_and(|host| served.hosts.include(host)) {
        return say(
            "403 Forbidden",
            "This answers for the machine that it runs on, by its address.\n",
        );
    }
    if !["GET", "HEAD"].contains(&&request.method[..]) {
        return say("405 Method Not Allowed", "Only GET and HEAD are answered.\n");
    }
    match &request.path[..] {
        "/" => match served.page() {
            Ok(page) => {
                http::send(&mut stream, &request, "200 OK", "text/html; charset=utf-8", &page)
            }
            Err(error) => say("500 Internal Server Error", &format!("{error}\n")),
        },
        "/growth" => match held(&request) {
            Some(held) => match growth::Following::begin(served, &held) {
                Ok(Some(following)) => following.send(&mut stream),
                Ok(None) => say("503 Service Unavailable", "Too many pages follow already.\n"),
                Err(error) => say("500 Internal Server Error", &format!("{error}\n")),
            },
            None => say("400 Bad Request", "'held' must say what the page holds of each run.\n"),
        },
        _ => say("404 Not Found", "There is the page, at /, and nothing else.\n"),
    }
}

/// What a page says it holds, `held=ROWS:EVENTS:SPECTRA:ENDED,…`.
fn held(request: &Request) -> Option<Vec<Held>> {
    let value = request.query.split('&').find_map(|part| part.strip_prefix("held="))?;
    value.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_holds_is_read_off_its_query() {
        let count = |query: &str| {
            let text = String::new;
            let query = query.to_string();
            held(&Request { method: text(), path: text(), query, host: None })
                .map(|held| held.len())
        };
        assert_eq!(count("held=12:3:0:1,5:0:2:0"), Some(2));
        assert_eq!(count("a=b&held="), Some(0));
        for query in
            ["", "held=1", "held=1:2:3:4", "held=a:0:0:0", "held=-1:0:0:0", "held=1:2:3:0:0"]
        {
            assert_eq!(count(query), None, "{query}");
        }
    }
}
