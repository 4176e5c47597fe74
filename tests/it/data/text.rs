//! Markdown to plain text, and text to windows.

use proptest::prelude::*;
use sharpscope::data::{Dataset, Inputs, plain_text};

#[test]
fn markdown_becomes_plain_text() {
    let cases = [
        (
            "**First Citizen**  \nSpeak.  \n\n\n**All**\nNo.",
            "First Citizen:\nSpeak.\n\nAll:\nNo.\n",
        ),
        ("# Title\n\n### SCENE I. Rome.\n", "Title\n\nSCENE I. Rome.\n"),
        ("_Enter two\nSenators_  \n", "Enter two\nSenators\n"),
        ("_\\[Aside]_  \nAnd _\\[Censorinus,]_  \n", "[Aside]\nAnd [Censorinus,]\n"),
        ("'\\--this says the belly", "'--this says the belly\n"),
        ("a **bold** word, \\*not\\*", "a bold word, *not*\n"),
        ("#hashtag and C#\n", "#hashtag and C#\n"),
        ("one\r\ntwo \r\n", "one\ntwo\n"),
        ("**\n\n\n****\n", ""),
        ("", ""),
    ];
    for (markdown, expected) in cases {
        assert_eq!(plain_text(markdown), expected, "{markdown:?}");
    }
}

#[test]
fn windows_overlap_by_the_character_to_predict() {
    let text = Dataset::from_text("toy", "abcabcab", 3).unwrap();
    let Inputs::Tokens { vocabulary, .. } = &text.inputs else { panic!("no tokens") };
    assert_eq!(vocabulary, &['a', 'b', 'c']);
    assert_eq!((text.len(), text.outputs()), (2, 3));
    assert_eq!(text.window(0), [0, 1, 2, 0]);
    assert_eq!(text.window(1), [0, 1, 2, 0]);
    assert_eq!(Dataset::from_text("toy", "abcabca", 3).unwrap().len(), 2, "just enough");
    assert_eq!(Dataset::from_text("toy", "abcabc", 3).unwrap().len(), 1, "one short");
}

#[test]
fn a_text_that_fills_no_window_is_refused() {
    for (text, context) in [("abc", 3), ("", 1), ("abc", 0)] {
        let message = Dataset::from_text("toy", text, context).unwrap_err().to_string();
        assert!(message.contains("context"), "{message}");
    }
}

proptest! {
    #[test]
    fn any_markdown_is_stripped(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = plain_text(&String::from_utf8_lossy(&bytes));
        prop_assert!(!text.contains("\n\n\n"));
        prop_assert!(text.lines().all(|line| line == line.trim_end()));
    }

    #[test]
    fn markup_leaves_no_mark(text in "([a-z .,]{0,8}(\\*\\*|_|\\\\\\[|\n|\n\n|\n# ){0,2}){0,10}") {
        let stripped = plain_text(&text);
        prop_assert!(!stripped.contains(['*', '_', '\\']), "{:?}", stripped);
        // Letters stay, in their order.
        let letters = |text: &str| text.chars().filter(|c| c.is_ascii_lowercase()).collect::<String>();
        prop_assert_eq!(letters(&stripped), letters(&text));
    }

    #[test]
    fn plain_text_stays_as_it_is(text in "([a-zA-Z][a-z .,]{0,8}[a-z]\n){1,6}") {
        prop_assert_eq!(plain_text(&text), text);
    }

    #[test]
    fn tokens_spell_the_text(text in "\\PC{2,60}", context in 1usize..8) {
        if let Ok(data) = Dataset::from_text("any", &text, context) {
            let Inputs::Tokens { vocabulary, tokens, .. } = &data.inputs else { panic!() };
            prop_assert!(vocabulary.is_sorted_by(|a, b| a < b));
            let spelled: String = tokens.iter().map(|&token| vocabulary[token]).collect();
            prop_assert_eq!(spelled, text);
            prop_assert!((0..data.len()).all(|i| data.window(i).len() == context + 1));
        }
    }
}
