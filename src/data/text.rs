//! Text for language models: markdown stripped to plain text, and characters made tokens.

use std::collections::{BTreeMap, BTreeSet};

/// The plain text of a play in markdown, in the layout that character-level language models are
/// usually given: a line that is bold as a whole (`**NAME**`) becomes `NAME:`; the marks of headings,
/// emphasis and escapes go, and so do spaces at the ends of lines and empty lines beside another.
pub fn plain_text(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    for line in markdown.lines() {
        let line = plain_line(line.trim_end());
        let beside_empty = text.is_empty() || text.ends_with("\n\n");
        if !(line.is_empty() && beside_empty) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if text.ends_with("\n\n") {
        text.pop();
    }
    text
}

fn plain_line(line: &str) -> String {
    let bold = line.strip_prefix("**").and_then(|rest| rest.strip_suffix("**"));
    if let Some(speaker) = bold.filter(|name| !name.is_empty() && !name.contains('*')) {
        return format!("{}:", plain_line(speaker).trim_end());
    }
    let heading = line.trim_start_matches('#');
    let line = match heading.strip_prefix(' ') {
        Some(title) if heading.len() < line.len() => title,
        _ => line,
    };
    let mut plain = String::with_capacity(line.len());
    let mut escaped = false;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        let escapes = c == '\\' && characters.peek().is_some_and(char::is_ascii_punctuation);
        if escaped || !(escapes || c == '*' || c == '_') {
            plain.push(c);
            escaped = false;
        } else {
            escaped = escapes;
        }
    }
    // What goes may leave a space behind at the end.
    plain.truncate(plain.trim_end().len());
    plain
}

/// The characters of a text, sorted, and its characters as places in that list.
pub(super) fn tokens(text: &str) -> (Vec<char>, Vec<usize>) {
    let vocabulary: Vec<char> = text.chars().collect::<BTreeSet<char>>().into_iter().collect();
    let places: BTreeMap<char, usize> =
        vocabulary.iter().enumerate().map(|(place, &c)| (c, place)).collect();
    let tokens = text.chars().map(|c| places[&c]).collect();
    (vocabulary, tokens)
}
