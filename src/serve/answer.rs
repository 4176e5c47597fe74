//! What a request gets.

use std::io::Cursor;
use std::sync::Arc;

use tiny_http::{Header, Method, Request, Response, StatusCode};

use super::Served;
use super::growth;
use crate::report::Held;

/// Of every answer: nothing is kept, guessed at, framed or shared.
const HEADERS: [(&str, &str); 5] = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
];

/// Answers one request.
pub(super) fn answer(request: Request, served: &Served) {
    let mut named = request.headers().iter().filter(|header| header.field.equiv("Host"));
    let host = (named.next(), named.next());
    let is_ours = matches!(host, (Some(host), None) if served.hosts.include(host.value.as_str()));
    if !is_ours {
        return say(
            request,
            403,
            "This server answers for the machine that it runs on, by its address.\n",
        );
    }
    let is_read = matches!(request.method(), Method::Get | Method::Head);
    if !is_read {
        return say(request, 405, "Only GET and HEAD are answered.\n");
    }
    let url = request.url().to_string();
    match url.split_once('?').unwrap_or((&url, "")) {
        ("/", _) => match served.page() {
            Ok(page) => send(request, 200, "text/html; charset=utf-8", page),
            Err(error) => say(request, 500, &format!("{error}\n")),
        },
        ("/growth", query) => match held(query) {
            Some(held) => growth::follow(request, served, &held),
            None => say(request, 400, "'held' must say what the page holds of each run.\n"),
        },
        _ => say(request, 404, "There is the page, at /, and nothing else.\n"),
    }
}

/// What a page says it holds, `held=ROWS:EVENTS:SPECTRA:ENDED,…`.
fn held(query: &str) -> Option<Vec<Held>> {
    let value = query.split('&').find_map(|part| part.strip_prefix("held="))?;
    value.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

/// A line of text.
pub(super) fn say(request: Request, code: u16, text: &str) {
    send(request, code, "text/plain; charset=utf-8", text.as_bytes().into());
}

fn send(request: Request, code: u16, kind: &str, body: Arc<[u8]>) {
    let length = body.len();
    let headers = HEADERS.into_iter().chain([("Content-Type", kind)]);
    let headers = headers.filter_map(|(name, value)| Header::from_bytes(name, value).ok());
    let response =
        Response::new(StatusCode(code), headers.collect(), Cursor::new(body), Some(length), None)
            .with_chunked_threshold(usize::MAX);
    // Who went away does not miss it.
    let _ = request.respond(response);
}

/// The lines of [`HEADERS`].
pub(super) fn header_lines() -> String {
    HEADERS.map(|(name, value)| format!("{name}: {value}\r\n")).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_holds_is_read_off_its_query() {
        assert_eq!(held("held=12:3:0:1,5:0:2:0").map(|held| held.len()), Some(2));
        assert_eq!(held("a=b&held=").map(|held| held.len()), Some(0));
        for query in
            ["", "held=1", "held=1:2:3:4", "held=a:0:0:0", "held=-1:0:0:0", "held=1:2:3:0:0"]
        {
            assert_eq!(held(query), None, "{query}");
        }
    }
}
