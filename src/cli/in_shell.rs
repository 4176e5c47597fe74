//! Words as a shell takes them.

/// A word, quoted where a shell would take it for something else.
pub(super) fn in_shell(word: &str) -> String {
    // Windows's paths have it, and elsewhere it takes the meaning from what follows.
    let backslash = |c: char| cfg!(windows) && c == '\\';
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c) || backslash(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::in_shell;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(in_shell("--lr=0.1,0.2"), "--lr=0.1,0.2");
        assert_eq!(in_shell("my folder"), "'my folder'");
        assert_eq!(in_shell("it's"), "'it'\\''s'");
        assert_eq!(in_shell(""), "''");
        assert_eq!(in_shell("$HOME"), "'$HOME'");
        assert_eq!(in_shell("a#b"), "'a#b'");
    }
}
