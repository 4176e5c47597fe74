//! From text to a tree: sums of products of powers, `^` to the right and before a sign, as in `-x^2 = -(x^2)`.

use super::tree::{FUNCTIONS, Node};

/// Most characters of a formula.
const LONGEST: usize = 10_000;
/// Most parentheses, signs and exponents within each other.
const DEEPEST: usize = 100;

/// What names stand for.
pub(super) struct Names(Vec<(String, Node)>);

impl Names {
    /// Variables in their order, and parameters with their numbers.
    pub fn new(variables: &[String], parameters: &[(&str, f64)]) -> Result<Self, String> {
        let mut known = vec![("pi".to_string(), Node::Number(std::f64::consts::PI))];
        let variables = variables.iter().enumerate();
        let variables = variables.map(|(at, name)| (name.as_str(), Node::Variable(at)));
        let numbers = parameters.iter().map(|&(name, number)| (name, Node::Number(number)));
        for (name, node) in variables.chain(numbers) {
            let mut letters = name.chars();
            let begins = letters.next().is_some_and(begins_name);
            if !begins || !letters.all(continues_name) {
                return Err(format!("'{name}' is no name; use letters, digits and _"));
            }
            let taken = known.iter().any(|(other, _)| other == name);
            if taken || FUNCTIONS.iter().any(|(function, _)| *function == name) {
                return Err(format!("the name '{name}' is taken already"));
            }
            known.push((name.to_string(), node));
        }
        Ok(Self(known))
    }
}

fn begins_name(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

fn continues_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The formula as a tree; the error says where it is wrong.
pub(super) fn parse(formula: &str, names: &Names) -> Result<Node, String> {
    let text: Vec<char> = formula.chars().collect();
    if text.len() > LONGEST {
        return Err(format!("formula of {} characters, {LONGEST} are the most", text.len()));
    }
    let mut parser = Parser { text: &text, at: 0, depth: 0, names };
    let wrong = |parser: &Parser<'_>, problem: String| {
        format!("formula '{formula}', character {}: {problem}", parser.at + 1)
    };
    let tree = parser.sum().map_err(|problem| wrong(&parser, problem))?;
    match parser.next() {
        None => Ok(tree),
        Some(letter) => Err(wrong(&parser, format!("'{letter}' is not expected"))),
    }
}

struct Parser<'a> {
    text: &'a [char],
    at: usize,
    depth: usize,
    names: &'a Names,
}

impl Parser<'_> {
    /// The next character that is no space, not taken.
    fn next(&mut self) -> Option<char> {
        while self.text.get(self.at).is_some_and(|letter| letter.is_whitespace()) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Takes one of these characters, if one is next.
    fn take(&mut self, letters: &[char]) -> Option<char> {
        let found = self.next().filter(|letter| letters.contains(letter));
        self.at += usize::from(found.is_some());
        found
    }

    fn sum(&mut self) -> Result<Node, String> {
        let mut parts = vec![self.product()?];
        while let Some(sign) = self.take(&['+', '-']) {
            let part = self.product()?;
            parts.push(if sign == '-' { Node::Negative(Box::new(part)) } else { part });
        }
        Ok(one_or(parts, Node::Sum))
    }

    fn product(&mut self) -> Result<Node, String> {
        let mut parts = vec![self.signed()?];
        while let Some(sign) = self.take(&['*', '/']) {
            let part = self.signed()?;
            parts.push(if sign == '/' { Node::Reciprocal(Box::new(part)) } else { part });
        }
        Ok(one_or(parts, Node::Product))
    }

    fn signed(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("more than {DEEPEST} parentheses within each other"));
        }
        let node = match self.take(&['-', '+']) {
            Some('-') => Node::Negative(Box::new(self.signed()?)),
            Some(_) => self.signed()?,
            None => self.power()?,
        };
        self.depth -= 1;
        Ok(node)
    }

    fn power(&mut self) -> Result<Node, String> {
        let base = self.atom()?;
        match self.take(&['^']) {
            Some(_) => Ok(Node::Power(Box::new(base), Box::new(self.signed()?))),
            None => Ok(base),
        }
    }

    fn atom(&mut self) -> Result<Node, String> {
        match self.next() {
            Some('(') => self.parentheses(),
            Some(letter) if letter.is_ascii_digit() || letter == '.' => self.number(),
            Some(letter) if begins_name(letter) => self.name(),
            Some(letter) => Err(format!("'{letter}' is not expected")),
            None => Err("it ends too early".to_string()),
        }
    }

    fn parentheses(&mut self) -> Result<Node, String> {
        self.take(&['(']).ok_or("'(' is missing")?;
        let inside = self.sum()?;
        self.take(&[')']).ok_or("')' is missing")?;
        Ok(inside)
    }

    /// Digits with a point and an exponent.
    fn number(&mut self) -> Result<Node, String> {
        let start = self.at;
        let mut before = ' ';
        while let Some(&letter) = self.text.get(self.at) {
            let sign = matches!(letter, '+' | '-') && matches!(before, 'e' | 'E');
            let exponent = matches!(letter, 'e' | 'E') && self.exponent_follows();
            if !(letter.is_ascii_digit() || letter == '.' || sign || exponent) {
                break;
            }
            before = letter;
            self.at += 1;
        }
        let text: String = self.text[start..self.at].iter().collect();
        let number = text.parse().ok().filter(|number: &f64| number.is_finite());
        number.map(Node::Number).ok_or_else(|| {
            self.at = start;
            format!("'{text}' is no number")
        })
    }

    /// Whether the e here is followed by a whole number.
    fn exponent_follows(&self) -> bool {
        let digit = |at: usize| self.text.get(at).is_some_and(char::is_ascii_digit);
        let sign = matches!(self.text.get(self.at + 1), Some('+' | '-'));
        digit(self.at + 1) || (sign && digit(self.at + 2))
    }

    fn name(&mut self) -> Result<Node, String> {
        let start = self.at;
        while self.text.get(self.at).copied().is_some_and(continues_name) {
            self.at += 1;
        }
        let name: String = self.text[start..self.at].iter().collect();
        if let Some((_, function)) = FUNCTIONS.iter().find(|(known, _)| *known == name) {
            return Ok(Node::Call(*function, Box::new(self.parentheses()?)));
        }
        let known = self.names.0.iter().find(|(known, _)| *known == name);
        known.map(|(_, node)| node.clone()).ok_or_else(|| {
            self.at = start;
            let names = self.names.0.iter().map(|(known, _)| known.as_str());
            let names = names.chain(FUNCTIONS.iter().map(|(known, _)| *known));
            format!("'{name}' is not known, but {}", names.collect::<Vec<_>>().join(" "))
        })
    }
}

/// One node by itself, or several made one.
fn one_or(mut nodes: Vec<Node>, several: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match (nodes.len(), nodes.pop()) {
        (1, Some(node)) => node,
        (_, last) => several(nodes.into_iter().chain(last).collect()),
    }
}
